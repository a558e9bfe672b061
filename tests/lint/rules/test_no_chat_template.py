from __future__ import annotations

from dataclasses import replace

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import tokens
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A101", sound()) == []


def test_bad() -> None:
    assert "no chat template" in one("A101", subject(template=None), Severity.ERROR).message


def test_named_templates_alone_are_shown() -> None:
    bad = subject(template=None, template_names=("tool_use",))
    assert "tool_use" in one("A101", bad, Severity.ERROR).evidence


def test_without_a_spec_it_is_worth_knowing_only() -> None:
    """A vocabulary with tokens that only chats need makes it doubtful."""
    doubtful = one("A101", replace(subject(template=None), spec=None), Severity.WARNING)
    assert "<|im_start|>" in doubtful.evidence
    one("A101", replace(tokens(b"a", b"b"), spec=None), Severity.INFO)


def test_completion_needs_none() -> None:
    base_model = subject(template=None, spec=zoo.spec(profile="completion"))
    assert "completion" in rules()["A101"].skip(base_model)
