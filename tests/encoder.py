"""Small models of the bert architecture, with random weights: what most embedding models and rerankers are."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from pipeline.gguf.write import NewTensor, packed, write_gguf

WIDTH, LAYERS, HEADS, FEED, CONTEXT = 64, 2, 4, 128, 64
WORDS = "hello ! owls call at night the capital of france is paris an old tree stands there".split()
# As many as bert has, and where bert has them: llama.cpp counts on that.
SPECIAL = ("[PAD]", *(f"[unused{number}]" for number in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS, RANK = 2, 4


def write_encoder(path: Path, pooling: int = CLS) -> None:
    """Write one that takes the vector of the first token, or gives a grade (``pooling`` ``RANK``)."""
    tokens = [*SPECIAL, *(f"▁{word}" for word in dict.fromkeys(WORDS))]
    sizes = {"context_length": CONTEXT, "embedding_length": WIDTH, "feed_forward_length": FEED, "block_count": LAYERS}
    metadata = {
        "general.architecture": packed("bert"),
        "general.license": packed("cc0-1.0"),
        **{f"bert.{key}": packed(value) for key, value in sizes.items()},
        "bert.attention.head_count": packed(HEADS),
        "bert.attention.layer_norm_epsilon": packed(1e-12),
        "bert.attention.causal": packed(False),
        "bert.pooling_type": packed(pooling),
        "tokenizer.ggml.model": packed("bert"),
        "tokenizer.ggml.pre": packed("bert-bge"),
        "tokenizer.ggml.tokens": packed(tokens),
        "tokenizer.ggml.token_type": packed([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)), 5),
        "tokenizer.ggml.token_type_count": packed(2),
    }
    for role, token in {"padding": 0, "unknown": 100, "cls": 101, "seperator": 102, "mask": 103}.items():
        metadata[f"tokenizer.ggml.{role}_token_id"] = packed(token)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (WIDTH, len(tokens)),
        "token_types.weight": (WIDTH, 2),
        "position_embd.weight": (WIDTH, CONTEXT),
    }
    norms = ["token_embd_norm"]
    square: dict[str, tuple[int, int]] = {}
    for layer in range(LAYERS):
        norms += [f"blk.{layer}.attn_output_norm", f"blk.{layer}.layer_output_norm"]
        square |= {f"blk.{layer}.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        square |= {f"blk.{layer}.ffn_up": (WIDTH, FEED), f"blk.{layer}.ffn_down": (FEED, WIDTH)}
    if pooling == RANK:
        square |= {"cls": (WIDTH, WIDTH), "cls.output": (WIDTH, 1)}
    for name, shape in square.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[1:]}
    shapes |= {f"{name}.{part}": (WIDTH,) for name in norms for part in ("weight", "bias")}
    random = np.random.default_rng(0)
    tensors = [
        NewTensor(
            name,
            shape,
            "F32",
            random.normal(float(name.endswith("norm.weight")), 0.3, prod(shape)).astype("<f4").tobytes(),
        )
        for name, shape in shapes.items()
    ]
    write_gguf(path, metadata, tensors)
