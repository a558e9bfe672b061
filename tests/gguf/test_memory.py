from __future__ import annotations

import struct

import pytest

from pipeline.gguf.header import GgufError, Header, parse_header, read_header
from pipeline.gguf.memory import estimate
from pipeline.gguf.write import NewTensor, head, packed
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
    assert found.total == sum(found.terms().values()) > found.weights + found.kv
    assert not found.checkpoints and not found.least  # every layer keeps everything


def test_context_is_rounded_up_and_cache_types_count() -> None:
    sound = read_header(SOUND)
    assert estimate(sound, context=1, slots=1).kv == estimate(sound, context=256, slots=1).kv
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


def test_without_flash_attention_the_scores_are_computed_in_memory() -> None:
    sound = read_header(SOUND)  # 4 heads, so many scores of 4 bytes, and of 2 where they meet the values
    flash = estimate(sound, context=8192, slots=1, flash_attention=True)
    whole = estimate(sound, context=8192, slots=1)
    half = estimate(sound, context=8192, slots=1, micro_batch=256)
    assert whole.compute - flash.compute > 512 * 8192 * 4 * 6
    assert half.compute == pytest.approx(whole.compute / 2, rel=0.01)


def test_a_split_set_and_a_projector_are_weights_too_and_mapped_ones_are_copied() -> None:
    sound = read_header(SOUND)
    one, two = (estimate(headers, context=256, slots=1) for headers in (sound, [sound, sound]))
    assert (two.weights, two.kv) == (2 * one.weights, one.kv)
    seeing = estimate(sound, context=256, slots=1, projector=1000)
    assert seeing.weights == one.weights + 1000 and seeing.least
    tensors = [NewTensor("token_embd.weight", (256, 8), "Q4_0"), NewTensor("blk.0.ffn_up.weight", (256, 8), "Q4_0")]
    content = head({"general.architecture": packed("llama")}, tensors)
    quantized = parse_header(content, len(content) + sum(tensor.nbytes for tensor in tensors))
    assert estimate(quantized, context=256, slots=1).weights == 2 * 8 * 8 * 18
    assert estimate(quantized, context=256, slots=1, mapped=True).weights == 3 * 8 * 8 * 18


def test_where_every_token_gives_something_there_are_as_many_logits_twice() -> None:
    sound = read_header(SOUND)
    writing, pooled = (estimate(sound, context=1024, slots=1, every=every) for every in (False, True))
    assert pooled.compute - writing.compute == 512 * 801 * 4  # the graph is wider elsewhere, and a copy comes out
