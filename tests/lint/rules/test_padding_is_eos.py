from __future__ import annotations

from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A216", sound()) == []


def test_bad(tmp_path: Path) -> None:
    assert "'<|im_end|>'" in one("A216", made(tmp_path, "padding-is-eos"), Severity.INFO).evidence


def test_where_turns_end_with_another_token_nothing_is_lost(tmp_path: Path) -> None:
    other = zoo.token("<|endoftext|>")
    assert zoo.value("tokenizer.ggml.padding_token_id") == other
    assert findings("A216", made(tmp_path, zoo.changed(tokenizer__ggml__eos_token_id=other))) == []


def test_a_completion_model_need_not_stop() -> None:
    assert rules()["A216"].skip(subject(spec=zoo.spec(profile="completion", checks=[])))
