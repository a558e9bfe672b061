from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

CLOSE = "{{- '<|im_end|>\\n' -}}"


def test_closed_turns_are_clean() -> None:
    assert findings("A116", subject()) == []


def test_the_system_turn_is_open() -> None:
    found = one("A116", subject(template=chatml().replace(CLOSE, "", 1)), Severity.WARNING)
    assert "house rules<|im_start|>" in found.evidence


def test_a_result_is_open() -> None:
    closes = CLOSE.replace("'<|im_end|>", "('' if message.role == 'tool' else '<|im_end|>')+'")
    head, tail = chatml().rsplit(CLOSE, 1)
    found = one("A116", subject(template=head + closes + tail), Severity.WARNING)
    assert "(called)" in found.message and "Quernstone found" in found.evidence


def test_another_end_after_calls_is_clean() -> None:
    closes = CLOSE.replace("'<|im_end|>", "('<|call|>' if message.tool_calls else '<|im_end|>')+'")
    head, tail = chatml().rsplit(CLOSE, 1)
    assert findings("A116", subject(template=head + closes + tail)) == []
