from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from pipeline.gguf.types import TokenType
from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import chatml, findings, one, sound, subject


def test_good() -> None:
    assert findings("A205", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A205", made(tmp_path, "turns-begin-with-text"), Severity.ERROR)
    assert "'<|im_start|>' has the type NORMAL" in found.evidence
    found = one("A205", made(tmp_path, "turns-of-another-vocabulary"), Severity.ERROR)
    assert "<|start_turn|>" in found.message and "tokens are '<|im_end|>'" in found.evidence


@pytest.mark.parametrize("kind", [TokenType.USER_DEFINED, TokenType.UNKNOWN])
def test_types_that_the_engine_looks_for_are_fine(kind: gguf.TokenType, tmp_path: Path) -> None:
    assert findings("A205", made(tmp_path, zoo.typed("<|im_start|>", kind))) == []


def test_a_type_that_the_engine_mends_is_not_judged_here(tmp_path: Path) -> None:
    assert findings("A205", made(tmp_path, "eos-not-control")) == []


def test_a_tag_that_is_typed_as_text_is_a_warning(tmp_path: Path) -> None:
    found = one("A205", made(tmp_path, zoo.typed("<tool_call>", gguf.TokenType.NORMAL)), Severity.WARNING)
    assert "'<tool_call>'" in found.message


def test_what_only_tools_lack_is_a_warning() -> None:
    found = one("A205", subject(template=chatml().replace("# Tools", "<|tools|>")), Severity.WARNING)
    assert "'<|tools|>'" in found.message


@pytest.mark.parametrize("bars", ["<｜User｜>", "<|turn>", "<turn|>", "<start_of_turn>"])
def test_markers_of_all_makes_are_found(bars: str) -> None:
    found = one("A205", subject(template=chatml().replace("<|im_start|>", bars)), Severity.ERROR)
    assert repr(bars) in found.message


def test_a_template_of_plain_text_may_be_meant_so() -> None:
    plain = chatml().replace("<|im_start|>", "<|user|>").replace("<|im_end|>", "</s>")
    assert "none of its markers" in one("A205", subject(template=plain), Severity.INFO).evidence


@pytest.mark.parametrize("text", ["[INST]", "<tools>", "### User:"])
def test_words_that_are_no_tokens_are_none_of_its_business(text: str) -> None:
    assert findings("A205", subject(template=chatml().replace("# Tools", text).replace("user", text))) == []


def test_without_types_it_is_not_judged(tmp_path: Path) -> None:
    assert "type" in rules()["A205"].skip(made(tmp_path, "types-too-few"))
