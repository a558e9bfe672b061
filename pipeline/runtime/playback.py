"""A model that says what it is told: a file's own tokenizer and chat template on a body that plays scripts.

The body is of the gpt2 architecture, whose position embeddings are learned, and so can be a table of what to say where: the
row of a position is the code of one token, the layer between adds zero, and the output row of a token is its code again.
The code of the position wins because codes are far apart; tokens that no script has keep a row of zeros. What llama-server
makes of an answer (stop tokens, tool calls, reasoning, its stream) is then tested with no weights, and is the same each
time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.gguf.header import Header
from pipeline.gguf.write import NewTensor, packed, write_gguf
from pipeline.runtime.hollow import tokenizer_of
from pipeline.runtime.script import Script, table

WIDTH = 32  # a block of Q4_0, which holds a code without loss
MOST_TOKENS = 1024  # different ones that all scripts have together
MARGIN = 8.0
"""By how much a code's product with itself is above that with any other, of ``WIDTH``."""
EPSILON = 1e-5
BLOCK = 18


def codes(count: int) -> NDArray[np.float32]:
    """Return ``count`` rows of ``WIDTH`` numbers, each 1 or -1 and as many of the one as of the other, so that normalizing a
    row changes nothing; any two differ in many places. The same each time.

    Raises ValueError for more rows than can be far apart.
    """
    if count > MOST_TOKENS:
        raise ValueError(f"{count} codes of {WIDTH} numbers can't be kept apart, want at most {MOST_TOKENS}")
    found = np.zeros((count, WIDTH), np.float32)
    have = salt = 0
    while have < count:
        digest = b"".join(hashlib.sha256(f"{salt}/{part}".encode()).digest() for part in range(WIDTH // 8))
        salt += 1
        row = np.full(WIDTH, -1, np.float32)
        row[np.argsort(np.frombuffer(digest, ">u4"), kind="stable")[: WIDTH // 2]] = 1
        if have == 0 or float((found[:have] @ row).max()) <= WIDTH - 2 * MARGIN:
            found[have] = row
            have += 1
    return found


def blocks(code: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return codes as blocks of Q4_0: the scale 1 as a 16-bit float, then half bytes that count from -8, the second half of
    a row in the upper ones.
    """
    half = (code + 8).astype(np.uint8)
    scale = np.frombuffer(np.float16(1).tobytes(), np.uint8)
    packed_rows = half[:, : WIDTH // 2] | half[:, WIDTH // 2 :] << 4
    return np.hstack([np.tile(scale, (len(code), 1)), packed_rows])


def says(rows: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the body makes of a position's row: a number for each output row."""
    normal = (row - row.mean()) / np.sqrt(row.var() + EPSILON)
    return np.asarray(rows @ normal, np.float32)


def write_playback(header: Header, path: Path, scripts: Sequence[Script], context: int) -> None:
    """Write a model with a header's tokenizer and chat templates that plays ``scripts``; ``context`` is the number of
    positions it has. It takes 36 bytes for each token of the vocabulary.

    Raises ValueError when scripts meet, leave the context, or have too many different tokens.
    """
    said, size = table(scripts), len(header.metadata["tokenizer.ggml.tokens"])
    if said and max(said) >= context:
        raise ValueError(f"a script ends at position {max(said)}, the context has {context}")
    tokens = sorted(set(said.values()))
    code = codes(len(tokens))
    for number, row in enumerate(code):
        heard = says(code, row)
        if np.delete(heard, number).max(initial=0) > heard[number] - MARGIN:
            raise ValueError(f"the code of token {tokens[number]} can't be told from another")
    row_of = dict(zip(tokens, code, strict=True))
    output, positions = np.zeros((size, BLOCK), np.uint8), np.zeros((context, WIDTH), np.float32)
    output[tokens] = blocks(code)
    for place, token in said.items():
        positions[place] = row_of[token]
    write_gguf(path, _metadata(header, context), _tensors(size, output, positions))


def _metadata(header: Header, context: int) -> dict[str, bytes]:
    body: Mapping[str, str | int | float] = {
        "general.architecture": "gpt2",
        "gpt2.block_count": 1,
        "gpt2.context_length": context,
        "gpt2.embedding_length": WIDTH,
        "gpt2.feed_forward_length": WIDTH,
        "gpt2.attention.head_count": 1,
        "gpt2.attention.layer_norm_epsilon": EPSILON,
    }
    return {key: packed(value) for key, value in body.items()} | tokenizer_of(header)


def _tensors(size: int, output: NDArray[np.uint8], positions: NDArray[np.float32]) -> list[NewTensor]:
    """Return all tensors that llama.cpp wants; those without data are zero."""
    ones = np.ones(WIDTH, np.float32).tobytes()
    shapes = {
        "attn_norm.weight": (WIDTH,),
        "attn_norm.bias": (WIDTH,),
        "attn_qkv.weight": (WIDTH, 3 * WIDTH),
        "attn_qkv.bias": (3 * WIDTH,),
        "attn_output.weight": (WIDTH, WIDTH),
        "attn_output.bias": (WIDTH,),
        "ffn_norm.weight": (WIDTH,),
        "ffn_norm.bias": (WIDTH,),
        "ffn_up.weight": (WIDTH, WIDTH),
        "ffn_up.bias": (WIDTH,),
        "ffn_down.weight": (WIDTH, WIDTH),
        "ffn_down.bias": (WIDTH,),
    }
    return [
        NewTensor("token_embd.weight", (WIDTH, size), "Q4_0"),
        NewTensor("position_embd.weight", (WIDTH, len(positions)), "F32", positions.tobytes()),
        NewTensor("output_norm.weight", (WIDTH,), "F32", ones),
        NewTensor("output_norm.bias", (WIDTH,)),
        NewTensor("output.weight", (WIDTH, size), "Q4_0", output.tobytes()),
        *(NewTensor(f"blk.0.{name}", shape, "F32") for name, shape in shapes.items()),
    ]
