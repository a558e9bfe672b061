from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.lint.rules.unknown_tokenizer import PRE_TOKENIZERS
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A207", sound()) == []
    assert len(PRE_TOKENIZERS) > 80 and {"llama-bpe", "tekken", "a.x-4.0", "youtu"} <= PRE_TOKENIZERS


def test_bad(tmp_path: Path) -> None:
    assert "'qwen99'" in one("A207", made(tmp_path, "pre-unknown"), Severity.ERROR).message
    assert "qwen2, qwen35" in one("A207", subject(tokenizer_pre="qwen99"), Severity.ERROR).evidence
    assert "'gpt99'" in one("A207", made(tmp_path, "tokenizer-unknown"), Severity.ERROR).message
    assert "missing" in one("A207", subject(tokenizer_model=None), Severity.ERROR).message


def test_a_file_without_a_vocabulary(tmp_path: Path) -> None:
    without = zoo.changed(tokenizer__ggml__tokens=zoo.REMOVED)
    assert "no vocabulary" in one("A207", made(tmp_path, without), Severity.ERROR).message


@pytest.mark.parametrize("pre", [None, "default"])
def test_a_missing_pre_tokenizer_is_judged_elsewhere(pre: str | None) -> None:
    assert findings("A207", subject(tokenizer_pre=pre)) == []


def test_only_bpe_has_a_pre_tokenizer() -> None:
    assert findings("A207", subject(tokenizer_model="llama", tokenizer_pre="anything")) == []


def test_a_projector_has_no_tokenizer() -> None:
    assert "no language model" in rules()["A207"].skip(subject(architecture="clip"))
