"""Writes small random models, and what `transformers` makes of them, for `dspy-core/tests/local_reference.rs`.

    python reference_models.py FOLDER
    python reference_models.py FOLDER --speed

Needs `torch`, `transformers`, `safetensors`, `gguf`. The folder gets an `index.json` that lists the models, and for each
model its files and what is expected of it: `NAME.json` with token ids, rendered conversations and the likeliest answers to them,
and `NAME.logits.safetensors`. With `--speed`, it gets the one model for measuring instead: the shape of SmolLM-135M with
random weights, as a folder and as GGUF files.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path

try:
    import torch
    import transformers
    from safetensors.numpy import save_file
    from transformers import LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

    import reference_gguf
    import reference_text
except ImportError as error:
    print(f"a package is missing: {error}", file=sys.stderr)
    sys.exit(77)

LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def plain_rope(theta: float) -> dict:
    return {"rope_type": "default", "rope_theta": theta}


SIZES = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5}


GGUF_TYPES = ("f32", "f16", "q8_0", "q4_0")


class Model:
    """A model to write: `old` is the form of `config.json` before version 5 of transformers."""

    def __init__(self, name, style, config, dtype, *, shards=False, old=True, gguf=(), jinja=False, **settings):
        self.name, self.style = name, reference_text.STYLES[style]
        self.config_class, self.settings = config, SIZES | settings
        self.dtype, self.shards, self.old, self.gguf, self.jinja = dtype, shards, old, gguf, jinja


MODELS = [
    Model("llama", "llama3", LlamaConfig, torch.float32, gguf=GGUF_TYPES, tie_word_embeddings=False,
          rope_parameters=plain_rope(500000.0)),
    Model("llama31", "llama3", LlamaConfig, torch.bfloat16, shards=True, gguf=GGUF_TYPES, tie_word_embeddings=True,
          rope_parameters=LLAMA3_ROPE),
    Model("llama31-new", "llama3", LlamaConfig, torch.float32, old=False, jinja=True, tie_word_embeddings=False,
          rope_parameters=LLAMA3_ROPE),
    Model("llama-biases", "llama3", LlamaConfig, torch.float32, attention_bias=True, mlp_bias=True, head_dim=24,
          rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    Model("llama-all-heads", "smollm", LlamaConfig, torch.float16, num_key_value_heads=4, num_hidden_layers=3,
          rope_parameters=plain_rope(10000.0)),
    Model("smollm", "smollm", LlamaConfig, torch.bfloat16, hidden_size=72, num_attention_heads=9,
          num_key_value_heads=3, num_hidden_layers=4, tie_word_embeddings=True, rope_parameters=plain_rope(100000.0)),
    Model("qwen2", "qwen2", Qwen2Config, torch.float16, gguf=GGUF_TYPES, tie_word_embeddings=True,
          rope_parameters=plain_rope(1000000.0)),
    Model("qwen2-window", "qwen2", Qwen2Config, torch.float32, jinja=True, num_hidden_layers=3,
          tie_word_embeddings=False, use_sliding_window=True, sliding_window=12, max_window_layers=1,
          rope_parameters=plain_rope(10000.0)),
    Model("qwen3", "qwen3", Qwen3Config, torch.bfloat16, shards=True, gguf=GGUF_TYPES, head_dim=32, jinja=True,
          tie_word_embeddings=False, rope_parameters=plain_rope(1000000.0)),
    Model("qwen3-tied", "qwen3", Qwen3Config, torch.float32, old=False, head_dim=16, tie_word_embeddings=True,
          rope_parameters=plain_rope(10000.0)),
    Model("mistral", "mistral", MistralConfig, torch.bfloat16, head_dim=16, sliding_window=16,
          rope_parameters=plain_rope(10000.0)),
    Model("mistral-all", "mistral", MistralConfig, torch.float32, shards=True, jinja=True, head_dim=32,
          sliding_window=None, rope_parameters=plain_rope(1000000.0)),
    Model("llama-wide", "llama3", LlamaConfig, torch.float32, gguf=("mixed",), hidden_size=256, intermediate_size=256,
          tie_word_embeddings=False, rope_parameters=plain_rope(10000.0)),
    Model("qwen3-wide", "qwen3", Qwen3Config, torch.float32, gguf=("mixed",), hidden_size=256, intermediate_size=512,
          head_dim=64, tie_word_embeddings=True, rope_parameters=plain_rope(10000.0)),
]


def fill(model, dtype, seed: int) -> None:
    """Random weights of a size that makes every part count, rounded to the type that they are stored in.

    What is no weight, such as the frequencies of the positions, keeps its 32 bits.
    """
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=draw)
            if name.endswith("norm.weight") or "layernorm" in name:
                weight.copy_(1 + 0.2 * noise)
            elif weight.ndim == 1:
                weight.copy_(0.3 * noise)
            elif "embed_tokens" in name:
                weight.copy_(0.5 * noise)
            else:
                weight.copy_(1.5 * noise / weight.shape[1] ** 0.5)
            weight.copy_(weight.to(dtype).to(torch.float32))


def config_of(model: Model, tokenizer):
    token = lambda text: None if text is None else tokenizer.token_to_id(text)
    return model.config_class(
        # Some rows of the embedding have no token, as in Qwen's models.
        vocab_size=(tokenizer.get_vocab_size() + 31) // 32 * 32,
        bos_token_id=token(model.style.bos), eos_token_id=token(model.style.eos), pad_token_id=token(model.style.pad),
        **model.settings,
    )


def save(folder: Path, model: Model, made, tokenizer) -> None:
    stored = copy.deepcopy(made).to(model.dtype)
    stored.save_pretrained(folder, max_shard_size="60KB" if model.shards else "5GB")
    if model.old:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        rope = config.pop("rope_parameters")
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
        config["torch_dtype"] = config.pop("dtype")
        config.pop("layer_types", None)
        path.write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"))
    style = model.style
    settings = {
        "bos_token": style.bos, "eos_token": style.eos, "pad_token": style.pad,
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False,
    }
    if style.name == "qwen2":
        # The older form of a special token.
        settings["eos_token"] = {"__type": "AddedToken", "content": style.eos, "special": True}
    if model.jinja:
        (folder / "chat_template.jinja").write_text(style.template)
    else:
        settings["chat_template"] = style.template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))


def texts(model: Model, tokenizer) -> list[dict]:
    found = []
    for text in reference_text.TEXTS:
        text = text.replace("{eot}", model.style.eos)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        found.append({
            "text": text, "ids": ids, "with_special": tokenizer.encode(text).ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=True),
        })
    return found


def conversations(folder: Path) -> list[dict]:
    """What the template makes of each conversation; null where it refuses."""
    loaded = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    found = []
    for name, messages in reference_text.CONVERSATIONS.items():
        try:
            text = loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # Whatever jinja2 raises.
            print(f"{folder.name}: {name}: {error}")
            text = None
        ids = None if text is None else loaded(text, add_special_tokens=False)["input_ids"]
        found.append({"name": name, "messages": messages, "text": text, "ids": ids})
    return found


def greedy(made, prompt: list[int], eos: int) -> dict:
    """The likeliest continuation. The margins tell how close the second choice came."""
    ids, margins = [], []
    while len(ids) < 24 and ids[-1:] != [eos]:
        top = made(torch.tensor([prompt + ids])).logits[0, -1].topk(2)
        margins.append((top.values[0] - top.values[1]).item())
        ids.append(top.indices[0].item())
    return {"ids": ids, "margins": margins}


def numbers(made, tokenizer, model: Model, conversations: list[dict], seed: int) -> tuple[dict, dict]:
    """Logits at every position of some inputs, and answers to the conversations."""
    draw = torch.Generator().manual_seed(seed)
    inputs = [
        [5],
        tokenizer.encode("The ferry leaves at seven in the morning.").ids,
        torch.randint(0, tokenizer.get_vocab_size(), (97,), generator=draw).tolist(),
    ]
    logits, answers = {}, {}
    eos = tokenizer.token_to_id(model.style.eos)
    with torch.no_grad():
        for i, ids in enumerate(inputs):
            logits[f"logits.{i}"] = made(torch.tensor([ids])).logits[0].float().numpy()
        for asked in conversations:
            if asked["ids"]:
                answers[asked["name"]] = greedy(made, asked["ids"], eos)
    return {"inputs": inputs, "answers": answers}, logits


def write(folder: Path) -> None:
    index = []
    for seed, model in enumerate(MODELS):
        tokenizer = reference_text.tokenizer(model.style)
        config = config_of(model, tokenizer)
        made = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        fill(made, model.dtype, seed)
        place = folder / model.name
        place.mkdir(parents=True, exist_ok=True)
        save(place, model, made, tokenizer)
        shared = {"texts": texts(model, tokenizer), "conversations": conversations(place)}

        def expect(name: str, path: str) -> None:
            described, logits = numbers(made, tokenizer, model, shared["conversations"], seed)
            (folder / f"{name}.json").write_text(json.dumps(described | shared, ensure_ascii=False, indent=1))
            save_file(logits, folder / f"{name}.logits.safetensors")
            index.append({"name": name, "path": path})
            spread = logits["logits.2"].std()
            margin = min(m for answer in described["answers"].values() for m in answer["margins"])
            print(f"{name}: logits spread over {spread:.2f}, the closest choice was won by {margin:.4f}")

        expect(model.name, model.name)
        state = {name: weight.numpy().copy() for name, weight in made.state_dict().items()}
        for kind in model.gguf:
            path = f"{model.name}-{kind}.gguf"
            found = reference_gguf.write(folder / path, config, state, tokenizer, model.style, kind)
            made.load_state_dict({name: torch.from_numpy(weight) for name, weight in found.items()})
            expect(f"{model.name}-{kind}", path)
    (folder / "index.json").write_text(json.dumps(index, indent=1))


def write_for_speed(folder: Path) -> None:
    """The shape of SmolLM-135M with random weights. No answer of it ends by itself."""
    size = 49152
    style = reference_text.STYLES["smollm"]
    tokenizer = reference_text.tokenizer(style)
    # Tokens that no text contains fill the vocabulary.
    described = json.loads(tokenizer.to_str())
    vocab = described["model"]["vocab"]
    for i in range(len(vocab), size):
        vocab[f"\u0120w{i}"] = i
    tokenizer = tokenizer.from_str(json.dumps(described))
    model = Model("speed", "smollm", LlamaConfig, torch.bfloat16, hidden_size=576, intermediate_size=1536,
                  num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
                  tie_word_embeddings=True, rope_parameters=plain_rope(100000.0))
    config = config_of(model, tokenizer)
    made = transformers.AutoModelForCausalLM.from_config(config).eval()
    fill(made, model.dtype, 7)
    with torch.no_grad():
        # A token whose row is zero is never the likeliest.
        for token in style.special:
            made.get_input_embeddings().weight[tokenizer.token_to_id(token)] = 0
    place = folder / "speed"
    place.mkdir(parents=True, exist_ok=True)
    save(place, model, made, tokenizer)
    state = {name: weight.float().numpy() for name, weight in made.state_dict().items()}
    for kind in GGUF_TYPES:
        reference_gguf.write(folder / f"speed-{kind}.gguf", config, state, tokenizer, style, kind)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    # More threads than free processors only wait for each other.
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    (write_for_speed if given.speed else write)(given.folder)
