from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import SpecError
from pipeline.spec.load import read_spec
from pipeline.spec.overrides import TYPES, argument, fits

HEAD = "name: one\nsource: file:../models/one.gguf\nengine:\n  overrides:\n"


def read(folder: Path, *lines: str) -> dict[str, bool | int | str]:
    path = folder / "one.yaml"
    path.write_text(HEAD + "".join(f"    {line}\n" for line in lines))
    return read_spec(path).engine.overrides


def test_what_is_written_is_read_with_its_type_in_order_of_keys(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "tokenizer.ggml.pre: qwen2",
        "tokenizer.ggml.eos_token_id: 7",
        "tokenizer.ggml.add_bos_token: false",
    )
    assert list(found.items()) == [
        ("tokenizer.ggml.add_bos_token", False),
        ("tokenizer.ggml.eos_token_id", 7),
        ("tokenizer.ggml.pre", "qwen2"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tokenizer.ggml.eos_token: 7", "did you mean tokenizer.ggml.eos_token_id"),
        ("general.architecture: llama", "can't be overridden"),
        ("tokenizer.ggml.tokens: [a]", "can't be overridden"),
        ("tokenizer.ggml.eos_token_id: true", "wants a token id, not True"),
        ("tokenizer.ggml.eos_token_id: -1", "wants a token id, not -1"),
        ("tokenizer.ggml.eos_token_id: 1.5", "wants a token id, not 1.5"),
        ("tokenizer.ggml.add_eos_token: 0", "wants true or false, not 0"),
        ("tokenizer.ggml.pre: 'a,tokenizer.ggml.eos_token_id=int:1'", "wants the name of a pre-tokenizer"),
    ],
)
def test_what_can_not_be_overridden_is_told_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, line)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.line == 5


def test_the_engine_gets_the_type_with_the_value() -> None:
    assert argument("tokenizer.ggml.eos_token_id", 7) == "tokenizer.ggml.eos_token_id=int:7"
    assert argument("tokenizer.ggml.add_bos_token", False) == "tokenizer.ggml.add_bos_token=bool:false"
    assert argument("tokenizer.ggml.pre", "llama-bpe") == "tokenizer.ggml.pre=str:llama-bpe"
    assert {fits(key, {int: 1, bool: True, str: "a"}[kind]) for key, kind in TYPES.items()} == {True}
