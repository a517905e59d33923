"""Makes the tokenizer: one token for each word and each phrase of the training text, bytes for all else.

    python tokenizer.py episodes.jsonl tiny/

It is byte-level BPE of the usual file format. Words and phrases that are in the vocabulary are taken whole
(`ignore_merges`); a few merges make unknown words a little shorter than their bytes.
"""

import collections
import json
import pathlib
import re
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]

# What the library's chat format repeats in every prompt, longest first where one begins another.
PHRASES = [
    "Input fields:\n- `",
    "\n\nOutput fields:\n- `",
    "\n- `",
    "` (text)",
    "` (int)",
    '` ("',
    '" | "',
    '")',
    "\n\nEach field stands under a header line of its own, in this way:",
    "\n\n[[ ## completed ## ]]",
    "\n\n[[ ## ",
    "[[ ## ",
    " ## ]]\n",
    "\n\nThe task:\n    ",
    "\n\nNow write, each under its header: `[[ ## ",
    " ## ]]`, `[[ ## ",
    " ## ]]` (one of ",
    " ## ]]` (int)",
    " ## ]]`",
    "; end with `[[ ## completed ## ]]`.",
    " -> ",
    " > ",
    ", ",
]
PATTERN = "|".join([*(re.sub(r"([\[\](){}|.\-])", r"\\\1", p) for p in PHRASES), "[A-Za-z]+", "[0-9]", r"\n+", r"[^A-Za-z0-9\n]"])

TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def main(episodes, out):
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    before = pre_tokenizers.Sequence([split, bytes_])
    marks = re.compile(r"<\|\w+\|>")
    counts = collections.Counter()
    with open(episodes) as lines:
        for line in lines:
            for part in marks.split(json.loads(line)["text"]):
                counts.update(piece for piece, _ in before.pre_tokenize_str(part))

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    small = Tokenizer(models.BPE())
    small.train_from_iterator(
        [w for w in counts if w.isalpha()], trainers.BpeTrainer(vocab_size=256 + 128, initial_alphabet=alphabet, show_progress=False)
    )
    merges = [tuple(m) for m in json.loads(small.to_str())["model"]["merges"]]
    pieces = SPECIAL + alphabet + ["".join(m) for m in merges] + [w for w, n in counts.most_common() if n >= 3]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}

    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = before
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIAL])

    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|end|>",
        "pad_token": "<|pad|>",
        "bos_token": None,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
        "chat_template": TEMPLATE,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(len(vocab), "tokens")


if __name__ == "__main__":
    main(*sys.argv[1:])
