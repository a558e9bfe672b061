from __future__ import annotations

from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound, subject


def test_good(tmp_path: Path) -> None:
    assert findings("A213", sound()) == []
    assert findings("A213", made(tmp_path, zoo.changed(tokenizer__ggml__add_eos_token=False))) == []


def test_bad(tmp_path: Path) -> None:
    assert "'<|im_end|>'" in one("A213", made(tmp_path, "eos-after-prompts"), Severity.WARNING).evidence


def test_a_completion_model_is_judged_too(tmp_path: Path) -> None:
    one("A213", made(tmp_path, "eos-after-prompts", profile="completion", checks=[]), Severity.WARNING)


def test_models_that_encode_want_it(tmp_path: Path) -> None:
    pooled = made(tmp_path, zoo.changed(tokenizer__ggml__add_eos_token=True, llama__pooling_type=number(3)))
    assert "encode" in rules()["A213"].skip(pooled)
    assert "encode" in rules()["A213"].skip(subject(tokenizer_model="t5"))
