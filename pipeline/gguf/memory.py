"""How much memory a model takes: its weights, and the KV cache for a context, slots and cache types."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.gguf.header import GgufError, Header
from pipeline.gguf.types import TENSOR_TYPES_BY_NAME
from pipeline.gguf.values import Array

CELL_STEP = 256


@dataclass(frozen=True)
class Memory:
    """Bytes. An upper estimate: compute buffers are not in it, and sliding-window layers count as if they kept
    everything.
    """

    weights: int
    kv: int

    @property
    def total(self) -> int:
        return self.weights + self.kv


def estimate(
    header: Header, *, context: int, slots: int, cache_type_k: str = "f16", cache_type_v: str = "f16"
) -> Memory:
    """Return the bytes for ``context`` tokens in each of ``slots`` slots. Raises GgufError for an unknown cache type
    or metadata that can't be.

    llama.cpp rounds each slot's context up to a multiple of 256 cells.
    """
    cells = -(-context // CELL_STEP) * CELL_STEP * slots
    kv = kv_bytes(header, cache_type_k=cache_type_k, cache_type_v=cache_type_v) * cells
    return Memory(weights=sum(tensor.nbytes for tensor in header.tensors), kv=kv)


def kv_bytes(header: Header, *, cache_type_k: str = "f16", cache_type_v: str = "f16") -> int:
    """Return the bytes that one token takes in the KV cache, over all layers. Raises GgufError as ``estimate`` does."""
    return sum(
        _row(cache_type_k, heads * key) + _row(cache_type_v, heads * value) for heads, key, value in _layers(header)
    )


def _row(cache_type: str, elements: int) -> int:
    kind = TENSOR_TYPES_BY_NAME.get(cache_type.lower())
    if kind is None:
        raise GgufError(
            f"unknown cache type {cache_type!r}",
            hint="use f16, q8_0 or another type that llama-server names under --cache-type-k",
        )
    return kind.size(elements)


def _layers(header: Header) -> list[tuple[int, int, int]]:
    """Return KV heads, key width and value width of every layer; a layer without attention has no heads."""
    prefix = str(header.metadata.get("general.architecture", ""))

    def per_layer(key: str, default: int) -> list[int]:
        value = header.metadata.get(f"{prefix}.{key}", default)
        numbers = value[:layers] if isinstance(value, Array) else [value] * layers
        if len(numbers) < layers or not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers):
            raise GgufError(f"{prefix}.{key} can't be what it is, {value!r}", offset=header.spans[f"{prefix}.{key}"][1])
        return numbers

    layers = header.metadata.get(f"{prefix}.block_count", 0)
    if not isinstance(layers, int) or not 0 <= layers < 1 << 16:
        raise GgufError(f"{prefix}.block_count can't be {layers!r}", offset=header.spans[f"{prefix}.block_count"][1])
    if not layers:
        return []
    heads = per_layer("attention.head_count", 0)
    kv_heads = [
        own if f"{prefix}.attention.head_count_kv" not in header.metadata else shared
        for own, shared in zip(heads, per_layer("attention.head_count_kv", 0), strict=True)
    ]
    width = per_layer("embedding_length", 0)[0] // max(1, max(heads))
    latent = per_layer("attention.kv_lora_rank", 0)[0]
    if (
        latent
    ):  # multi-head latent attention: one compressed row stands for all heads, its values are a part of its keys
        return [(1, latent + per_layer("rope.dimension_count", 0)[0], 0)] * layers
    keys, values = per_layer("attention.key_length", width), per_layer("attention.value_length", width)
    return list(zip(kv_heads, keys, values, strict=True))
