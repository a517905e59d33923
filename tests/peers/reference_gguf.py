"""Writes models of `reference_models.py` as GGUF files, as llama.cpp's converter lays them out."""

from __future__ import annotations

import json
import re

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType

# Of `mixed`, the types take turns, so that a file has them all.
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
    "mixed": gguf.LlamaFileType.MOSTLY_Q4_K_M,
}
MIXED = [Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.Q3_K, Type.Q2_K, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.BF16]

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    if found := re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)", name):
        layer, part, kind = found.groups()
        return f"blk.{layer}.{LAYER_NAMES[part]}.{kind}"
    return {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }[name]


def halves_to_pairs(rows: int, heads: int) -> np.ndarray:
    """The order in which the rows of a query or key projection are stored.

    Hugging Face turns the first half of a head against the second, llama.cpp's `llama` each even row against the odd
    one after it.
    """
    return np.arange(rows).reshape(heads, 2, rows // heads // 2).transpose(0, 2, 1).reshape(-1)


def random_blocks(shape: tuple[int, int], kind: Type, draw: np.random.Generator) -> np.ndarray:
    """A matrix of one of the types with nested scales, which `gguf` can read but not make."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = draw.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=np.uint8)
    # Where the scale is, and the one of the minima, and how large that must be for a mean of zero.
    at, minima = {
        Type.Q2_K: (80, (82, 1.5)), Type.Q3_K: (108, None), Type.Q4_K: (0, (2, 7.5)), Type.Q5_K: (0, (2, 15.5)),
        Type.Q6_K: (208, None),
    }[kind]

    def put(at, scale):
        blocks[:, at:at + 2] = np.full((len(blocks), 1), scale, dtype=np.float16).view(np.uint8)

    scale = 1.0
    for _ in range(2):
        put(at, scale)
        if minima is not None:
            put(minima[0], scale * minima[1])
        stored = blocks.reshape(shape[0], -1)
        scale *= 1.5 / shape[1] ** 0.5 / gguf.quants.dequantize(stored, kind).std()
    return stored


def write(path, config, state: dict[str, np.ndarray], tokenizer, style, kind: str) -> dict[str, np.ndarray]:
    """Writes the file and returns the weights that a reader finds in it, in Hugging Face's layout."""
    arch = config.model_type
    out = gguf.GGUFWriter(path, arch)
    out.add_name(f"reference {arch}")
    out.add_file_type(FILE_TYPES[kind])
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)
    shape(out, config)
    vocabulary(out, tokenizer, style, config.vocab_size)
    rope = config.rope_parameters
    if rope["rope_type"] == "llama3":
        width = config.hidden_size // config.num_attention_heads
        out.add_tensor("rope_freqs.weight", llama3_factors(rope, width))

    found, turn, draw = {}, 0, np.random.default_rng(11)
    for name, weight in state.items():
        if config.tie_word_embeddings and name == "lm_head.weight":
            continue
        # Vectors stay as they are.
        stored_as = Type.F32
        if weight.ndim == 2:
            stored_as = MIXED[turn % len(MIXED)] if kind == "mixed" else Type[kind.upper()]
            turn += 1
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        heads = next((n for part, n in heads.items() if part in name), None)
        order = halves_to_pairs(len(weight), heads) if heads and arch == "llama" else np.arange(len(weight))
        if stored_as.name.endswith("_K"):
            stored = random_blocks(weight.shape, stored_as, draw)
        else:
            stored = gguf.quants.quantize(weight[order], stored_as)
        found[name] = np.empty(weight.shape, dtype=np.float32)
        found[name][order] = gguf.quants.dequantize(stored, stored_as)
        out.add_tensor(gguf_name(name), stored, raw_dtype=stored_as)
    if config.tie_word_embeddings:
        found["lm_head.weight"] = found["model.embed_tokens.weight"]
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return found


def shape(out, config) -> None:
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.model_type == "llama":
        out.add_vocab_size(config.vocab_size)
        out.add_rope_dimension_count(width)
    if width * config.num_attention_heads != config.hidden_size or config.model_type == "qwen3":
        out.add_key_length(width)
        out.add_value_length(width)


def vocabulary(out, tokenizer, style, vocab_size: int) -> None:
    described = json.loads(tokenizer.to_str())
    special = {entry["id"] for entry in described["added_tokens"] if entry["special"]}
    tokens, types = [], []
    for i in range(vocab_size):
        token = tokenizer.id_to_token(i)
        if token is None:
            tokens.append(f"[PAD{i}]")
            types.append(gguf.TokenType.UNUSED)
        else:
            tokens.append(token)
            types.append(gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL)
    merges = [m if isinstance(m, str) else " ".join(m) for m in described["model"]["merges"]]
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre(style.pre)
    out.add_token_list(tokens)
    out.add_token_types(types)
    out.add_token_merges(merges)
    for token, add in [(style.bos, out.add_bos_token_id), (style.eos, out.add_eos_token_id),
                       (style.pad, out.add_pad_token_id)]:
        if token is not None:
            add(tokenizer.token_to_id(token))
    out.add_add_bos_token(style.name == "llama3")
    out.add_chat_template(style.template)


def llama3_factors(rope, width: int) -> np.ndarray:
    """By how much each frequency is divided, in Llama 3.1."""
    factors = []
    for i in range(width // 2):
        frequency = rope["rope_theta"] ** (-2 * i / width)
        turns = rope["original_max_position_embeddings"] * frequency / (2 * np.pi)
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        keep = min(1.0, max(0.0, (turns - low) / (high - low)))
        factors.append(1 / ((1 - keep) / rope["factor"] + keep))
    return np.array(factors, dtype=np.float32)
