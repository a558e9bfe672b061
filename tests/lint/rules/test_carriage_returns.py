from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_plain_line_ends_are_clean() -> None:
    assert findings("A125", subject()) == []


def test_windows_line_ends() -> None:
    found = one("A125", subject(template=chatml().replace("\n", "\r\n")), Severity.INFO)
    assert found.where == "chat_template:1:1"


def test_in_the_prompt() -> None:
    one("A125", subject(template=chatml().replace("<|im_end|>\\n", "<|im_end|>\\r\\n")), Severity.WARNING)
