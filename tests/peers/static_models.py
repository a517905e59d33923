"""Makes small static models with model2vec, and writes what it embeds with them.

    python static_models.py FOLDER

Writes `FOLDER/<name>/` for each model and `FOLDER/expected.json`: the texts, and the vectors by model. The vectors of
tokens are random, from a fixed seed.
"""

import json
import sys
from pathlib import Path

try:
    import numpy as np
    from model2vec import StaticModel
    from model2vec.quantization import quantize_embeddings, DType
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
except ImportError as error:
    print(f"model2vec cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)

CORPUS = [
    "The ferry to the island leaves at seven, unless the wind is strong.",
    "A kettle, two cups and half a lemon stood on the table.",
    "She counted 1,204 stamps and sold three of them.",
    "Die Straßenbahn fährt über die Brücke, dann am Fluss entlang.",
    "Œuvre d'été : la fenêtre reste ouverte jusqu'à minuit.",
    "Поезд опоздал на двадцать минут.",
    "図書館は月曜日に休みです。",
    "المكتبة مغلقة يوم الاثنين.",
    "Το πλοίο φεύγει στις επτά.",
]

TEXTS = CORPUS + [
    "",
    " ",
    "\n\t",
    "the",
    "THE Ferry",
    "zzzz qqqq ЖЖЖ 漢字 🙂",
    "🙂",
    "e\u0301te\u0301 été",
    "[UNK] [PAD] the",
    "the " * 700,
    "Straßenbahn" * 300,
    "a" * 5000 + " ferry",
    "🙂" * 3000 + " ferry",
    "null\0byte and \ufeff mark",
]


def trained(model, trainer, normalizer, pre_tokenizer):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def tokenizers():
    special = ["[PAD]", "[UNK]"]
    yield "wordpiece", trained(
        models.WordPiece(unk_token="[UNK]"),
        trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False),
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
    )
    yield "wordlevel", trained(
        models.WordLevel(unk_token="[UNK]"),
        trainers.WordLevelTrainer(special_tokens=special, show_progress=False),
        normalizers.Lowercase(),
        pre_tokenizers.Whitespace(),
    )
    yield "unigram", trained(
        models.Unigram(),
        trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="[UNK]", show_progress=False),
        normalizers.NFKC(),
        pre_tokenizers.Metaspace(),
    )
    yield "bytes", trained(
        models.BPE(),
        trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
        normalizers.NFC(),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    )


def all_models():
    rng = np.random.default_rng(7)
    for name, tokenizer in tokenizers():
        size = tokenizer.get_vocab_size()
        vectors = rng.normal(size=(size, 24)).astype(np.float32)
        weights = rng.uniform(0.1, 2.0, size=size)
        rows = rng.normal(size=(40, 24)).astype(np.float32)
        mapping = rng.integers(0, 40, size=size).astype(np.int32)
        yield f"{name}-plain", StaticModel(vectors, tokenizer)
        yield f"{name}-normalized", StaticModel(vectors, tokenizer, normalize=True)
        yield f"{name}-unlimited", StaticModel(vectors, tokenizer, normalize=True, max_length=None)
        yield f"{name}-short", StaticModel(vectors, tokenizer, max_length=3)
        for dtype in (DType.Float16, DType.Float64, DType.Int8):
            quantized = quantize_embeddings(vectors, dtype)
            yield f"{name}-{dtype.value}", StaticModel(quantized, tokenizer, normalize=True)
        yield f"{name}-weights", StaticModel(vectors, tokenizer, weights=weights)
        yield f"{name}-mapping", StaticModel(rows, tokenizer, weights=weights, token_mapping=mapping, normalize=True)
        padded = Tokenizer.from_str(tokenizer.to_str())
        padded.enable_padding(length=64)
        padded.enable_truncation(4)
        yield f"{name}-padded", StaticModel(vectors, padded)


def main(folder):
    expected = {}
    for name, model in all_models():
        model.save_pretrained(folder / name)
        # As it is loaded again, which is what others do.
        model = StaticModel.from_pretrained(folder / name)
        expected[name] = [[float(x) for x in row] for row in model.encode(TEXTS)]
    text = json.dumps({"texts": TEXTS, "vectors": expected})
    (folder / "expected.json").write_text(text, encoding="utf-8")


main(Path(sys.argv[1]))
