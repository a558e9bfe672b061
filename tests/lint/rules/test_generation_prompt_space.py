from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

OPENS = "'<|im_start|>assistant\\n' -}}\n{%- endif"


def test_a_line_end_is_clean() -> None:
    assert findings("A113", subject()) == []


def test_a_space() -> None:
    template = chatml().replace(OPENS, OPENS.replace("\\n'", "\\n '"))
    found = one("A113", subject(template=template), Severity.WARNING)
    assert "assistant\\n '" in found.evidence
