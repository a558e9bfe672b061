from __future__ import annotations

import gguf

from pipeline.gguf.types import FILE_TYPES, SCALARS, TENSOR_TYPES, TokenType


def test_tensor_types_agree_with_gguf_py() -> None:
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    ours = {number: (kind.name, kind.block, kind.nbytes) for number, kind in TENSOR_TYPES.items()}
    assert {number: ours.get(number) for number in theirs} == theirs


def test_file_types_agree_with_gguf_py() -> None:
    theirs = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in gguf.LlamaFileType}
    assert {number: FILE_TYPES.get(number, "GUESSED") for number in theirs} == theirs


def test_value_and_token_types_agree_with_gguf_py() -> None:
    scalars = set(gguf.GGUFValueType) - {gguf.GGUFValueType.STRING, gguf.GGUFValueType.ARRAY}
    assert set(SCALARS) == {int(kind) for kind in scalars}
    assert {kind.name: int(kind) for kind in TokenType} == {kind.name: int(kind) for kind in gguf.TokenType}


def test_a_part_of_a_block_takes_a_whole_one() -> None:
    assert TENSOR_TYPES[8].size(33) == 68
