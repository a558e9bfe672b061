from __future__ import annotations

import pytest

from pipeline.gguf.header import GgufError, Header, parse_header
from pipeline.gguf.layers import layers_of, unknown_part
from pipeline.gguf.memory import CHECKPOINTS, estimate
from pipeline.gguf.write import head, packed

SHAPE = {"block_count": 4, "embedding_length": 64, "attention.head_count": 4}


def header(architecture: str, **keys: int | list[int] | list[bool]) -> Header:
    values = {f"{architecture}.{key.replace('__', '.')}": packed(value) for key, value in keys.items()}
    content = head({"general.architecture": packed(architecture), **values})
    return parse_header(content, len(content))


def of(architecture: str, **keys: int | list[int] | list[bool]) -> Header:
    return header(architecture, **(SHAPE | keys))


def windows(found: Header) -> list[int]:
    return [layer.window for layer in layers_of(found)]


def test_a_window_is_where_llama_cpp_puts_it() -> None:
    window = {"attention__sliding_window": 8}
    assert windows(of("gemma3", block_count=7, **window)) == [8, 8, 8, 8, 8, 0, 8]
    assert windows(of("cohere2moe", block_count=5, **window)) == [0, 8, 8, 8, 0]
    assert windows(of("gemma3")) == [0] * 4  # the file states none
    assert windows(of("gemma2")) == [4096, 0, 4096, 0]
    assert windows(of("llama", **window)) == [0] * 4  # it knows no windows
    assert windows(of("exaone4", **window)) == [0] * 4 and any(windows(of("exaone4", block_count=64)))


def test_a_pattern_that_the_file_states_goes_before() -> None:
    window = {"attention__sliding_window": 8}
    listed = of("gemma4", **window, attention__sliding_window_pattern=[True, False, True, True])
    assert windows(listed) == [8, 0, 8, 8]
    assert windows(of("gpt-oss", **window, attention__sliding_window_pattern=4)) == [8, 8, 8, 0]
    assert windows(of("gpt-oss", **window, attention__sliding_window_pattern=0)) == [8] * 4


def test_a_layer_with_a_window_keeps_it_and_a_batch() -> None:
    found = of("gemma2", attention__sliding_window=300)
    row = 2 * 64 * 2  # keys and values in f16
    assert estimate(found, context=4096, slots=2, micro_batch=128).kv == 2 * row * (2 * 4096 + 2 * 512)
    assert estimate(found, context=256, slots=1).kv == row * 4 * 256  # not more than the context
    assert estimate(found, context=4096, slots=2).checkpoints == 2 * CHECKPOINTS * row * 2 * 300


def test_recurrent_layers_keep_a_state_of_each_slot_whatever_the_context() -> None:
    ssm = {"ssm__conv_kernel": 4, "ssm__inner_size": 128, "ssm__state_size": 16, "ssm__group_count": 1}
    state = 4 * (3 * (128 + 2 * 16) + 16 * 128)
    mamba = of("mamba2", attention__head_count_kv=0, **ssm)
    assert estimate(mamba, context=256, slots=2).kv == estimate(mamba, context=8192, slots=2).kv == 4 * 2 * state
    hybrid = of("qwen3next", attention__head_count_kv=2, **ssm)
    assert [(layer.state, layer.kv_heads) for layer in layers_of(hybrid)] == [(state, 0)] * 3 + [(0, 2)]
    assert {(layer.state, layer.kv_heads) for layer in layers_of(of("falcon-h1", **ssm))} == {(state, 4)}
    jamba = of("jamba", attention__head_count_kv=[0, 0, 2, 0], **ssm)
    assert [layer.state for layer in layers_of(jamba)] == [state, state, 0, state]
    nemotron = of("nemotron_h", attention__head_count_kv=[0, 0, 2, 0], feed_forward_length=[0, 9, 0, 9], **ssm)
    assert [layer.state for layer in layers_of(nemotron)] == [state, 0, 0, 0]


@pytest.mark.parametrize(
    ("architecture", "keys", "floats"),
    [
        ("rwkv6", {"wkv__head_size": 16}, 64 * 2 + 64 * 16),
        ("lfm2", {"shortconv__l_cache": 3}, 64 * 2),
        ("kimi-linear", {"kda__head_dim": 8, "ssm__conv_kernel": 4}, 3 * 3 * 32 + 8 * 8 * 4),
    ],
)
def test_states_of_other_kinds(architecture: str, keys: dict[str, int], floats: int) -> None:
    found = layers_of(of(architecture, attention__head_count_kv=0, **keys))
    assert {layer.state for layer in found} == {4 * floats}


def test_layers_that_use_another_s_cache_and_models_without_one() -> None:
    assert [layer.kv_heads for layer in layers_of(of("gemma4", attention__shared_kv_layers=1))] == [4, 4, 4, 0]
    assert estimate(of("bert"), context=512, slots=1).kv == 0


def test_only_the_experts_that_are_used_are_computed() -> None:
    keys = {"expert_count": 64, "expert_used_count": 4, "expert_feed_forward_length": 32, "feed_forward_length": 100}
    assert {layer.feed for layer in layers_of(of("qwen3moe", **keys))} == {128}


def test_what_a_header_does_not_tell_is_said() -> None:
    assert "indexer" in unknown_part(of("deepseek32", attention__indexer__head_count=4))
    assert "llama.block_count" in unknown_part(header("llama"))
    assert not unknown_part(of("llama"))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(GgufError, match="sliding_window_pattern"):
        layers_of(of("gemma3", attention__sliding_window=8, attention__sliding_window_pattern=[True]))
