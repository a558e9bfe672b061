from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.gguf.header import Tensor
from pipeline.gguf.types import FILE_TYPES
from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.lint.subject import Subject
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound


def mixed(said: str, **shares: int) -> Subject:
    """The sound model, of this type by name, with these bytes of each tensor type."""
    number = next(number for number, name in FILE_TYPES.items() if name == said)
    base = sound()
    tensors = tuple(Tensor(name, (256, 256), name, 0, nbytes) for name, nbytes in shares.items())
    header = replace(base.header, tensors=tensors, metadata={**base.header.metadata, "general.file_type": number})
    return replace(base, header=header)


def test_good() -> None:
    assert findings("A306", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A306", made(tmp_path, "another-quantization"), Severity.WARNING)
    assert "says it is Q4_K_M, but 100 % of its weights' bytes are Q8_0" in found.message


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ("Q4_K_M", {"Q8_0": 180, "Q5_0": 44, "Q4_K": 13, "Q6_K": 10}),
        ("Q4_K_M", {"Q5_0": 60, "Q8_0": 40}),
        ("Q4_K_M", {"Q4_K": 30, "F16": 70}),
        ("IQ2_M", {"IQ2_S": 70, "IQ3_S": 30}),
        ("IQ4_XS", {"IQ4_NL": 100}),
        ("Q3_K_L", {"Q3_K": 50, "Q5_K": 50}),
        ("BF16", {"BF16": 90, "F32": 10}),
        ("MXFP4_MOE", {"MXFP4": 80, "Q8_0": 20}),
        ("Q4_0", {"Q4_0": 90, "Q6_K": 10}),
    ],
)
def test_mixtures_and_fallbacks_are_fine(said: str, shares: dict[str, int]) -> None:
    assert findings("A306", mixed(said, **shares)) == []


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ("Q4_K_M", {"Q2_K": 90, "Q6_K": 10}),
        ("Q8_0", {"Q4_K": 100}),
        ("F16", {"Q4_K": 90, "F16": 10}),
        ("Q4_K_M", {"F16": 99, "Q4_K": 1}),
        ("Q6_K", {"F32": 100}),
    ],
)
def test_other_weights_are_found(said: str, shares: dict[str, int]) -> None:
    assert said in one("A306", mixed(said, **shares), Severity.WARNING).message


def test_without_weights_it_is_not_judged() -> None:
    assert rules()["A306"].skip(tokens(b"a"))
