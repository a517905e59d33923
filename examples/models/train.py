"""Trains the tiny model from nothing: a Llama-shaped decoder in plain PyTorch, on one core or on a GPU.

    python train.py prepare --episodes episodes.jsonl --tokenizer tiny --out shard.npz
    python train.py train --shards 'shards/*.npz' --out run --steps 9000
    python train.py eval --episodes held-out.jsonl --tokenizer tiny --out run
    python train.py export --out run --to tiny

A run goes on from its last checkpoint. The schedule is warm-up, a long constant part, and a linear decay at the
end, so that a run can be ended at any time: start it again with fewer `--steps`.
"""

import argparse
import glob
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PAD, END, ASSISTANT = 0, 1, 4
BUCKETS = (96, 136, 184, 240, 300, 384)


# --- the model ---------------------------------------------------------------------------------------------------

SHAPE = {"width": 128, "layers": 5, "heads": 4, "hidden": 352, "theta": 500000.0, "eps": 1e-5}


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        d, h = s["width"], s["hidden"]
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(d, h, bias=False), nn.Linear(d, h, bias=False)
        self.down = nn.Linear(h, d, bias=False)
        self.norm1, self.norm2 = nn.RMSNorm(d, s["eps"]), nn.RMSNorm(d, s["eps"])
        self.heads = s["heads"]

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        n = self.norm1(x)
        q, k, v = (m(n).view(b, t, self.heads, -1).transpose(1, 2) for m in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, d))
        n = self.norm2(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


class Model(nn.Module):
    def __init__(self, vocab, s):
        super().__init__()
        self.shape = s
        self.embed = nn.Embedding(vocab, s["width"])
        self.blocks = nn.ModuleList(Block(s) for _ in range(s["layers"]))
        self.norm = nn.RMSNorm(s["width"], s["eps"])
        size = s["width"] // s["heads"]
        freq = s["theta"] ** (-torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(1024), freq)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens, at):
        """The logits at the positions `at` of the flattened batch."""
        x = self.embed(tokens)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        x = self.norm(x).flatten(0, 1)[at]
        return F.linear(x, self.embed.weight)


def start(model, seed, groups):
    """Random weights, and planted in them a rough beginning of what in-context learning needs.

    The embeddings have a dimension that is the same for all tokens, one that marks the words of kinds, one that marks
    the names of groups, and words of one kind start near each other. In the first layer one head looks one token
    back, and one looks for the latest word of a kind. In the second layer heads look for the places where the word that
    was found is alike, names of groups first, and copy what stands there. All of it goes on learning.
    """
    g = torch.Generator().manual_seed(seed)
    normal = lambda *size: torch.randn(*size, generator=g)
    s = model.shape
    d = s["width"]
    size, content = d // s["heads"], d // 2
    begin = 3
    width = content - begin
    for m in model.modules():
        if isinstance(m, nn.Linear):
            m.weight.data = normal(*m.weight.shape) * 0.7 / math.sqrt(m.weight.shape[1])
    for b in model.blocks:
        b.o.weight.data *= 0.3
        b.down.weight.data *= 0.3
    e = model.embed.weight.data
    own = F.normalize(normal(e.shape[0], width), dim=1)
    for kind in groups["kinds"]:
        own[kind] = F.normalize(normal(1, width), dim=1) * 0.8 + own[kind] * 0.6
    e.copy_(normal(*e.shape) * 0.01)
    e[:, begin:content] = own
    e[:, 0], e[:, 1], e[:, 2] = 0.6, 0.0, 0.0
    e[[w for kind in groups["kinds"] for w in kind], 1] = 0.6
    e[groups["labels"], 2] = 0.6
    freq = s["theta"] ** (-torch.arange(0, size, 2) / size)
    half = size // 2
    first, second = model.blocks[0], model.blocks[1]

    def look(head, source, used, back, strength):
        """The head attends to what has the dimension `source`, best `back` tokens ago."""
        rows = slice(head * size, head * size + size)
        first.q.weight.data[rows] *= 0.05
        first.k.weight.data[rows] *= 0.05
        q, k = torch.zeros(size), torch.zeros(size)
        for i in used:
            k[i] = strength
            q[i], q[half + i] = strength * torch.cos(freq[i] * back), -strength * torch.sin(freq[i] * back)
        first.q.weight.data[rows, 0], first.k.weight.data[rows, source] = q, k

    look(0, 0, range(6), 1, 0.95)
    look(1, 1, (3, 4, 5), 0, 0.95)
    turn = torch.linalg.qr(normal(width, width))[0][:size]
    for head in (0, 1):
        rows = slice(head * size, head * size + size)
        first.v.weight.data[rows] *= 0.05
        first.o.weight.data[:, rows] *= 0.05
        first.v.weight.data[rows, begin:content] = turn * 0.25
        first.o.weight.data[content + head * size : content + (head + 1) * size, rows] = torch.eye(size) * 0.6

    # Of a head's dimensions only the slowly turning ones compare what is far apart.
    slow = [i + h for h in (0, half) for i in range(6, half)]
    basis = torch.linalg.qr(normal(width, width))[0]
    for head, start_ in ((0, 0), (1, 0), (2, size - len(slow))):
        rows = slice(head * size, head * size + size)
        for m in (second.q, second.k, second.v):
            m.weight.data[rows] *= 0.05
        second.o.weight.data[:, rows] *= 0.05
        strength = 1.6 if head else 1.2
        for n, i in enumerate(slow[: len(slow) - 1]):
            part = start_ + n
            source = content + (1 if head else 0) * size + part
            second.k.weight.data[head * size + i, source] = strength
            if head:
                second.q.weight.data[head * size + i, source] = strength
            else:
                second.q.weight.data[head * size + i, begin:content] = turn[part] * strength * 0.5
        if head:
            last = head * size + slow[-1]
            second.q.weight.data[last, 0], second.k.weight.data[last, 2] = 1.7, 1.7
        copy = basis[:size] if head < 2 else basis[size:]
        second.v.weight.data[head * size : head * size + len(copy), begin:content] = copy * 0.5
        second.o.weight.data[begin:content, head * size : head * size + len(copy)] = copy.T * (1.0 if head else 0.4)


def marks(path, tokenizer):
    """The token numbers of the words of each kind, and of the names of groups."""
    from tokenizers import Tokenizer

    lexicon = json.loads(pathlib.Path(path).read_text())
    t = Tokenizer.from_file(str(pathlib.Path(tokenizer) / "tokenizer.json"))
    ids = lambda words: [i for i in (t.token_to_id(w) for w in words) if i is not None]
    return {"kinds": [ids(k) for k in lexicon["kinds"]], "labels": ids(lexicon["labels"])}


# --- optimisation ------------------------------------------------------------------------------------------------


class Muon:
    """Momentum whose matrices are made orthogonal before each step (Jordan et al. 2024, "Muon")."""

    def __init__(self, matrices, momentum=0.95):
        shapes = {}
        for p in matrices:
            shapes.setdefault(tuple(p.shape), []).append(p)
        self.groups = list(shapes.values())
        self.momentum = momentum
        self.buffers = [torch.zeros(len(g), *g[0].shape, device=g[0].device) for g in self.groups]

    @torch.no_grad()
    def step(self, lr):
        for group, buffer in zip(self.groups, self.buffers):
            grad = torch.stack([p.grad for p in group])
            buffer.lerp_(grad, 1 - self.momentum)
            update = orthogonal(grad.lerp(buffer, self.momentum))
            scale = lr * max(1.0, grad.shape[1] / grad.shape[2]) ** 0.5
            for p, u in zip(group, update):
                p.add_(u, alpha=-scale)


def orthogonal(x):
    """The Newton-Schulz iteration of Muon, for a stack of matrices."""
    x = x.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


# --- data --------------------------------------------------------------------------------------------------------


def prepare(args):
    """Turns episodes into token numbers and the weights of the targets: only answers are learnt."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pathlib.Path(args.tokenizer) / "tokenizer.json"))
    tasks, texts = read(args.episodes)
    ids, weights, lengths = [], [], []
    for i in range(0, len(texts), 4096):
        for e in tokenizer.encode_batch(texts[i : i + 4096]):
            t = np.array(e.ids, np.uint16)
            if len(t) <= BUCKETS[-1]:
                ids.append(t)
                weights.append(targets(t))
                lengths.append(len(t))
    pathlib.Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.out, ids=np.concatenate(ids), weights=np.concatenate(weights), lengths=np.array(lengths))
    print(f"{len(lengths)} episodes, {sum(lengths)} tokens")


def read(path):
    with open(path) as lines:
        rows = [json.loads(line) for line in lines]
    return [r["task"] for r in rows], [r["text"] for r in rows]


def targets(t):
    """1 for each token of an answer; 2 in the last answer, which alone follows a full question."""
    begins = np.flatnonzero(t == ASSISTANT)
    w = np.zeros(len(t), np.uint8)
    for b in begins:
        e = b + 1 + int(np.argmax(t[b + 1 :] == END))
        w[b + 1 : e + 1] = 2 if b == begins[-1] else 1
    return w


class Batches:
    """Batches of episodes of about the same length, without end, in an order that the seed and the step give."""

    def __init__(self, pattern, tokens, seed):
        self.rows = {b: [] for b in BUCKETS}
        self.data = []
        for n, path in enumerate(sorted(glob.glob(pattern))):
            z = np.load(path)
            self.data.append((z["ids"], z["weights"]))
            start_ = 0
            for length in z["lengths"].tolist():
                bucket = next(b for b in BUCKETS if length <= b)
                self.rows[bucket].append((n, start_, length))
                start_ += length
        self.sizes = {b: max(1, tokens // b) for b in BUCKETS}
        order = [(b, i) for b in BUCKETS for i in range(len(self.rows[b]) // self.sizes[b])]
        rng = np.random.default_rng(seed)
        for b in BUCKETS:
            self.rows[b] = [self.rows[b][i] for i in rng.permutation(len(self.rows[b]))]
        self.order = [order[i] for i in rng.permutation(len(order))]

    def __len__(self):
        return len(self.order)

    def get(self, step):
        b, i = self.order[step % len(self.order)]
        size = self.sizes[b]
        tokens, weights = np.zeros((size, b), np.int64), np.zeros((size, b), np.float32)
        for r, (n, s, length) in enumerate(self.rows[b][i * size : (i + 1) * size]):
            ids, w = self.data[n]
            tokens[r, :length] = ids[s : s + length]
            weights[r, : length - 1] = w[s + 1 : s + length]
        flat = weights.reshape(-1)
        at = np.flatnonzero(flat)
        room = int(0.5 * size * b)
        at = at[:room]
        wanted = np.roll(tokens.reshape(-1), -1)
        out = [np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.float32)]
        for o, v in zip(out, (at, wanted[at], flat[at])):
            o[: len(at)] = v
        return [torch.from_numpy(a) for a in (tokens, *out)]


# --- training ----------------------------------------------------------------------------------------------------


def build(vocab, device):
    return Model(vocab, SHAPE).to(device)


def rate(step, steps, warmup, decay):
    if step < warmup:
        return (step + 1) / warmup
    left = steps - step
    return min(1.0, left / max(1, decay))


def train(args):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    model = build(args.vocab, device)
    matrices = [p for b in model.blocks for p in b.parameters() if p.ndim == 2]
    others = [p for n, p in model.named_parameters() if not (n.startswith("blocks") and p.ndim == 2)]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0)
    first, tokens = 0, 0
    saved = out / "last.pt"
    if saved.exists():
        state = torch.load(saved, map_location=device)
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.buffers = state["muon"]
        first, tokens = state["step"], state["tokens"]
    elif args.lexicon:
        start(model, args.seed, marks(args.lexicon, args.tokenizer))
    batches = Batches(args.shards, args.tokens, args.seed)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(batches)} batches", flush=True)
    run = torch.compile(model, dynamic=False) if args.compile else model
    began, seen, total, n = time.time(), 0, 0.0, 0

    def save(name):
        state = {"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.buffers}
        torch.save({**state, "step": step, "tokens": tokens, "vocab": args.vocab, "shape": SHAPE}, out / "new.pt")
        os.replace(out / "new.pt", out / name)

    for step in range(first, args.steps):
        t, at, wanted, weight = (x.to(device) for x in batches.get(step - args.skip))
        with torch.autocast(device, torch.bfloat16):
            logits = run(t, at)
        loss = (F.cross_entropy(logits.float(), wanted, reduction="none") * weight).sum() / weight.sum()
        loss.backward()
        factor = rate(step, args.steps, args.warmup, args.decay)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        muon.step(args.muon * factor)
        for group in adam.param_groups:
            group["lr"] = args.adam * factor
        adam.step()
        model.zero_grad(set_to_none=True)
        tokens += int((t != PAD).sum())
        seen += t.numel()
        total, n = total + loss.item(), n + 1
        if (step + 1) % args.log == 0:
            speed = seen / (time.time() - began)
            print(f"step {step + 1} loss {total / n:.4f} lr {factor:.3f} tokens {tokens / 1e6:.2f}M {speed:.0f}/s", flush=True)
            began, seen, total, n = time.time(), 0, 0.0, 0
        if (step + 1) % args.save == 0 or step + 1 == args.steps:
            step += 1
            save("last.pt")
            if step % (5 * args.save) == 0:
                save(f"step-{step}.pt")


def load(path):
    state = torch.load(path, map_location="cpu")
    model = Model(state["vocab"], state["shape"])
    model.load_state_dict(state["model"])
    return model.eval(), state


@torch.no_grad()
def evaluate(args):
    """How often each answer as a whole is the most likely one, token by token, given what stands before it."""
    from tokenizers import Tokenizer

    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(pathlib.Path(args.tokenizer) / "tokenizer.json"))
    path = pathlib.Path(args.out)
    model, state = load(path / "last.pt" if path.is_dir() else path)
    tasks, texts = read(args.episodes)
    texts = [e.ids for e in tokenizer.encode_batch(texts)]
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    right = {}
    for i in range(0, len(by_length), 64):
        some = by_length[i : i + 64]
        longest = max(len(texts[j]) for j in some)
        t = torch.tensor([texts[j] + [PAD] * (longest - len(texts[j])) for j in some])
        with torch.autocast("cpu", torch.bfloat16):
            best = model(t, torch.arange(t.numel())).argmax(-1).view(t.shape)
        for row, j in enumerate(some):
            w = targets(np.array(texts[j], np.uint16)) == 2
            where = np.flatnonzero(w)
            right[j] = bool((best[row, where - 1] == t[row, where]).all())
    cells = {}
    for j, ok in right.items():
        cells.setdefault(tasks[j], []).append(ok)
    print(f"step {state['step']}, {state['tokens'] / 1e6:.1f}M tokens")
    rows = {}
    for name in dict.fromkeys(tasks):
        head, _, column = name.rpartition(" | ")
        rows.setdefault(head or name, []).append(f"{column}: {100 * np.mean(cells[name]):3.0f}")
    for head, values in rows.items():
        print(f"{head:60}", "  ".join(values))


def export(args):
    from safetensors.torch import save_file

    path = pathlib.Path(args.out)
    model, state = load(path / "last.pt" if path.is_dir() else path)
    names = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    names |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    names |= {"norm1": "input_layernorm", "norm2": "post_attention_layernorm"}
    tensors = {"model.embed_tokens.weight": model.embed.weight, "model.norm.weight": model.norm.weight}
    for i, block in enumerate(model.blocks):
        for short, long in names.items():
            tensors[f"model.layers.{i}.{long}.weight"] = getattr(block, short).weight
    to = pathlib.Path(args.to)
    to.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in tensors.items()}
    save_file(tensors, to / "model.safetensors", metadata={"format": "pt"})
    s = state["shape"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": state["vocab"],
        "hidden_size": s["width"],
        "intermediate_size": s["hidden"],
        "num_hidden_layers": s["layers"],
        "num_attention_heads": s["heads"],
        "num_key_value_heads": s["heads"],
        "head_dim": s["width"] // s["heads"],
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "rms_norm_eps": s["eps"],
        "rope_theta": s["theta"],
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "torch_dtype": "bfloat16",
    }
    (to / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"do_sample": False, "eos_token_id": END, "pad_token_id": PAD, "max_new_tokens": 128}
    (to / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    (to / "model.safetensors").chmod(0o644)
    print(f"step {state['step']}: {sum(v.numel() for v in tensors.values())} parameters")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("action", choices=["prepare", "train", "eval", "export"])
    p.add_argument("--episodes")
    p.add_argument("--tokenizer", default="tiny")
    p.add_argument("--shards")
    p.add_argument("--out", required=True)
    p.add_argument("--to", default="tiny")
    p.add_argument("--vocab", type=int, default=1216)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=12000)
    p.add_argument("--skip", type=int, default=0, help="the step at which these shards begin")
    p.add_argument("--tokens", type=int, default=4096, help="tokens in a batch, padding included")
    p.add_argument("--warmup", type=int, default=300)
    p.add_argument("--decay", type=int, default=1000)
    p.add_argument("--muon", type=float, default=0.012)
    p.add_argument("--adam", type=float, default=3e-3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--log", type=int, default=50)
    p.add_argument("--save", type=int, default=200)
    p.add_argument("--layers", type=int, default=SHAPE["layers"])
    p.add_argument("--lexicon", help="words by kinds, for the planted start; random weights alone without it")
    p.add_argument("--compile", action="store_true")
    args = p.parse_args()
    SHAPE["layers"] = args.layers
    {"prepare": prepare, "train": train, "eval": evaluate, "export": export}[args.action](args)


if __name__ == "__main__":
    main()
