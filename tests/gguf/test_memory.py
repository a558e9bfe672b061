from __future__ import annotations

import struct

import pytest

from pipeline.gguf.header import GgufError, Header, parse_header, read_header
from pipeline.gguf.memory import estimate
from tests.gguf.build import ARCHITECTURE, ARRAY, UINT32, file, pair
from tests.zoo import SOUND


def header(**keys: int | list[int]) -> Header:
    pairs = [ARCHITECTURE]
    for key, value in keys.items():
        if isinstance(value, int):
            pairs.append(pair(f"llama.{key.replace('__', '.')}", UINT32, struct.pack("<I", value)))
        else:
            raw = struct.pack(f"<IQ{len(value)}I", UINT32, len(value), *value)
            pairs.append(pair(f"llama.{key.replace('__', '.')}", ARRAY, raw))
    content = file(pairs)
    return parse_header(content, len(content))


def test_sound_model() -> None:
    # 4 layers, 4 heads of 64 for keys and for values, 2 bytes each, 1024 cells in each of 2 slots
    found = estimate(read_header(SOUND), context=1024, slots=2)
    assert found.kv == 4 * 2 * 256 * 2 * 2048
    assert found.weights == sum(tensor.nbytes for tensor in read_header(SOUND).tensors)
    assert found.total == found.weights + found.kv


def test_context_is_rounded_up_and_cache_types_count() -> None:
    sound = read_header(SOUND)
    assert estimate(sound, context=1, slots=1) == estimate(sound, context=256, slots=1)
    quantized = estimate(sound, context=256, slots=1, cache_type_k="q8_0", cache_type_v="q8_0")
    assert quantized.kv == 4 * 2 * (256 // 32 * 34) * 256


def test_grouped_heads_and_layers_of_their_own() -> None:
    shape = {"block_count": 2, "embedding_length": 64, "attention__head_count": 4}
    shared = estimate(header(**shape, attention__head_count_kv=1), context=256, slots=1)
    own = estimate(header(**shape, attention__head_count_kv=[0, 4]), context=256, slots=1)
    assert (shared.kv, own.kv) == (2 * 2 * 16 * 2 * 256, 1 * 2 * 64 * 2 * 256)


def test_latent_attention() -> None:
    shape = {"block_count": 3, "embedding_length": 64, "attention__head_count": 4}
    found = estimate(header(**shape, attention__kv_lora_rank=32, rope__dimension_count=8), context=256, slots=1)
    assert found.kv == 3 * 40 * 2 * 256


@pytest.mark.parametrize("keys", [{"block_count": 1 << 20}, {"block_count": 3, "attention__head_count": [1, 2]}])
def test_what_cannot_be_is_refused(keys: dict[str, int | list[int]]) -> None:
    with pytest.raises(GgufError):
        estimate(header(**keys), context=256, slots=1)


def test_unknown_cache_type_is_refused() -> None:
    with pytest.raises(GgufError, match="q9_9"):
        estimate(read_header(SOUND), context=256, slots=1, cache_type_k="q9_9")
