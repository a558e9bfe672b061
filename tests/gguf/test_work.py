from __future__ import annotations

from dataclasses import replace

from pipeline.gguf.header import Header, Tensor, read_header
from pipeline.gguf.work import work
from tests.zoo import SOUND


def tensor(name: str, *shape: int, nbytes: int) -> Tensor:
    return Tensor(name, shape, "F16", 0, nbytes)


def header(*tensors: Tensor, **keys: int) -> Header:
    sound = read_header(SOUND)
    metadata = {"general.architecture": "llama", **{f"llama.{key}": value for key, value in keys.items()}}
    return replace(sound, metadata=metadata, tensors=tensors)


def test_the_sound_model() -> None:
    """Its embedding is its output matrix too, so that all weights are read for a token."""
    sound = read_header(SOUND)
    found = work([sound])
    assert found.weight_bytes == found.dense_bytes == sum(tensor.nbytes for tensor in sound.tensors)
    assert found.operations == sum(2 * tensor.elements for tensor in sound.tensors if len(tensor.shape) > 1)
    assert found.kv_bytes == 4 * 2 * 256 * 2
    assert found.decode_bytes(10) == found.weight_bytes + 10 * found.kv_bytes


def test_rows_of_an_embedding_beside_an_output_matrix_are_not_counted() -> None:
    found = work(
        [header(tensor("token_embd.weight", 8, 100, nbytes=1600), tensor("output.weight", 8, 100, nbytes=800))]
    )
    assert (found.weight_bytes, found.operations) == (800, 1600)


def test_of_experts_only_those_that_are_used() -> None:
    experts = tensor("blk.0.ffn_up_exps.weight", 4, 6, 8, nbytes=384)
    norm = tensor("blk.0.attn_norm.weight", 4, nbytes=16)
    found = work([header(experts, norm, expert_count=8, expert_used_count=2)])
    assert (found.weight_bytes, found.dense_bytes, found.operations) == (384 // 4 + 16, 400, 2 * 192 // 4)
    assert work([header(experts)]).weight_bytes == 384, "nobody says how many are used"


def test_a_split_set_is_one_model() -> None:
    one = header(tensor("output.weight", 8, 100, nbytes=800))
    two = header(tensor("blk.0.ffn_up.weight", 8, 10, nbytes=160))
    assert work([one, two]).weight_bytes == 960
