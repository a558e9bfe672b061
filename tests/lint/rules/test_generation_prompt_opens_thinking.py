from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

OPENS = "'<|im_start|>assistant\\n' -}}\n{%- endif"


def opening(text: str) -> str:
    return chatml().replace(OPENS, OPENS.replace("\\n'", f"\\n{text}'"))


def test_a_prompt_without_thinking_is_clean() -> None:
    assert findings("A114", subject()) == []
    assert findings("A114", subject(template=opening("<think></think>"))) == []


def test_it_opens_thinking_whatever_is_said() -> None:
    found = one("A114", subject(template=opening("<think>\\n")), Severity.INFO)
    assert "enable_thinking: false does not stop it" in found.message


def test_it_can_be_turned_off() -> None:
    template = opening("' + ('<think>' if enable_thinking else '') + '")
    assert "does not stop" not in one("A114", subject(template=template), Severity.INFO).message


def test_twice() -> None:
    assert "twice" in one("A114", subject(template=opening("<think>\\n<think>\\n")), Severity.WARNING).message
