"""How much memory llama-server comes to with a model: when every slot is full, and every buffer was used.

The terms are those of llama.cpp's own code, the constants were measured on the build that Assay pins (Linux, x86-64, CPU):
the sum is within 10 % of the peak that the kernel counts (``VmHWM``), for models of a few megabytes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from pipeline.gguf.header import GgufError, Header
from pipeline.gguf.layers import Layer, layers_of, unknown_part
from pipeline.gguf.types import TENSOR_TYPES_BY_NAME, TensorType
from pipeline.gguf.values import Array

CELL_STEP = 256
CHECKPOINTS = 4
"""States of a slot that the engine may keep to go back to (``--ctx-checkpoints``)."""

_NAMES = {"kv": "KV cache", "compute": "compute buffers"}
_FLOAT, _HALF, _CANDIDATE = 4, 2, 12
# What llama.cpp keeps of a token: its text twice, as a key of a table, a score; of a merge: a pair of texts, its rank.
_TOKEN, _MERGE = 150, 105
# Code and libraries that are resident, the allocator's own, graphs and logs; and what one more slot adds to these.
_ENGINE, _SLOT = 20 << 20, 600 << 10
# Types of which llama.cpp makes a second copy, in another order, for the instructions of the processor.
_REPACKED = frozenset({"Q2_K", "Q4_0", "Q4_K", "IQ4_NL"})


@dataclass(frozen=True)
class Memory:
    """Bytes. ``kv`` is the cache of keys and values, recurrent states with it; ``compute`` what a batch is computed in, and the
    numbers that come out; ``checkpoints`` earlier states of windows and recurrent layers; ``vocabulary`` its tables;
    ``engine`` the process itself. ``least`` says why it may be more, "" where nothing is left out.
    """

    weights: int
    kv: int
    compute: int = 0
    checkpoints: int = 0
    vocabulary: int = 0
    engine: int = 0
    least: str = ""

    @property
    def total(self) -> int:
        return sum(self.terms().values())

    def summands(self) -> dict[str, int]:
        """Return the same for people: what takes nothing is left out."""
        return {_NAMES.get(what, what): size for what, size in self.terms().items() if size}

    def terms(self) -> dict[str, int]:
        """Return the bytes by what takes them, in the order of a sum."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "least"}


def estimate(
    header: Header | Sequence[Header],
    *,
    context: int,
    slots: int,
    cache_type_k: str = "f16",
    cache_type_v: str = "f16",
    micro_batch: int = 512,
    flash_attention: bool = False,
    mapped: bool = False,
    projector: int = 0,
    every: bool = False,
) -> Memory:
    """Return the bytes for ``context`` tokens in each of ``slots`` slots. ``header`` is the model's, or those of a split set,
    the first first; ``mapped`` weights stay in the file's pages; ``projector`` is the size of a vision model's second file;
    ``every``: something comes out for every token, not for the last alone, as where vectors are made.

    Raises GgufError for an unknown cache type or metadata that can't be. llama.cpp rounds each slot's context up to a
    multiple of 256 cells.
    """
    headers = [header] if isinstance(header, Header) else list(header)
    layers, cells = layers_of(headers[0]), _up(context)
    batch = max(slots, min(context * slots, micro_batch))
    types = _type(cache_type_k), _type(cache_type_v)
    kept = [_cells(layer, cells, batch) for layer in layers]
    kv = sum(_row(layer, types) * each + layer.state for layer, each in zip(layers, kept, strict=True)) * slots
    saved = sum(
        _row(layer, types) * min(layer.window, cells) + layer.state for layer in layers if layer.window or layer.state
    )
    tokens, merges = _count(headers[0], "tokens"), _count(headers[0], "merges")
    compute = _compute(headers[0], layers, kept, batch, types[1], flash_attention)
    # Where only vectors are asked for, llama.cpp has room for logits all the same, and a decoder computes them too.
    logits = batch * tokens * _FLOAT if every else 0
    weights = sum(tensor.nbytes for one in headers for tensor in one.tensors) + projector
    return Memory(
        weights=weights + (_copied(headers) if mapped else 0),
        kv=kv,
        compute=max(compute, logits if any(kept) else 0) + logits + slots * tokens * (_FLOAT + _CANDIDATE),
        checkpoints=saved * slots * CHECKPOINTS,
        vocabulary=tokens * _TOKEN + merges * _MERGE,
        engine=_ENGINE + slots * _SLOT,
        least="what the projector computes in is not counted" if projector else unknown_part(headers[0]),
    )


def kv_bytes(header: Header, *, cache_type_k: str = "f16", cache_type_v: str = "f16") -> int:
    """Return the bytes that one token takes in the KV cache, over all layers. Raises GgufError as ``estimate`` does."""
    types = _type(cache_type_k), _type(cache_type_v)
    return sum(_row(layer, types) for layer in layers_of(header))


def _compute(
    header: Header, layers: Sequence[Layer], kept: Sequence[int], batch: int, values: TensorType, flash: bool
) -> int:
    """Return the bytes of a batch's graph (what is alive at its widest point: the scores of attention, or the feed-forward
    network between its matrices) with its masks, and of the copies that products of matrices are computed from.
    """
    if not layers:
        return 0
    width = int(header.metadata.get(f"{header.metadata.get('general.architecture')}.embedding_length", 0))
    asked = max(layer.heads * layer.key for layer in layers)
    given = max(layer.kv_heads * (layer.key + layer.value) for layer in layers)
    feed = max(layer.feed for layer in layers)
    seen = max(layer.heads * (each or batch) for layer, each in zip(layers, kept, strict=True))
    attending = 2 * width + 3 * asked + given + (0 if flash else seen)
    graph = batch * _FLOAT * max(attending, 3 * feed + 4 * width)
    masks = batch * (_HALF if flash else _FLOAT) * sum({each or batch for each in kept})
    scores = 0 if flash or values.name == "F32" else seen * _HALF
    return graph + masks + batch * max(scores, feed * _HALF)


def _cells(layer: Layer, cells: int, batch: int) -> int:
    """Return how many tokens of a slot a layer keeps: behind a window, the window and a batch."""
    if not layer.kv_heads:
        return 0
    return min(cells, _up(layer.window + batch)) if layer.window else cells


def _row(layer: Layer, types: tuple[TensorType, TensorType]) -> int:
    return types[0].size(layer.kv_heads * layer.key) + types[1].size(layer.kv_heads * layer.value)


def _type(name: str) -> TensorType:
    kind = TENSOR_TYPES_BY_NAME.get(name.lower())
    if kind is None:
        raise GgufError(
            f"unknown cache type {name!r}",
            hint="use f16, q8_0 or another type that llama-server names under --cache-type-k",
        )
    return kind


def _up(cells: int) -> int:
    return -(-cells // CELL_STEP) * CELL_STEP


def _count(header: Header, what: str) -> int:
    found = header.metadata.get(f"tokenizer.ggml.{what}")
    return len(found) if isinstance(found, Array) else 0


def _copied(headers: Sequence[Header]) -> int:
    return sum(
        tensor.nbytes
        for header in headers
        for tensor in header.tensors
        if tensor.type in _REPACKED and len(tensor.shape) > 1 and tensor.name != "token_embd.weight"
    )
