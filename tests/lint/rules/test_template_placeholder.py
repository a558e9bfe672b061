from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_a_template_without_is_clean() -> None:
    assert findings("A124", subject()) == []


def test_one_in_every_prompt() -> None:
    template = chatml().replace("<|im_end|>", "<|im_end|>__EOS_TOKEN__")
    found = one("A124", subject(template=template), Severity.ERROR)
    assert "it stands in prompts" in found.message
    line, column = (int(part) for part in found.where.split(":")[1:])
    assert template.split("\n")[line - 1][column - 1 :].startswith("__EOS_TOKEN__")


def test_one_that_no_conversation_shows() -> None:
    one("A124", subject(template="{% if false %}{INPUT}{% endif %}" + chatml()), Severity.WARNING)
