from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, sound, subject
from tests.zoo import GENERATION_PROMPT

INSTRUCT = """{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]
{%- else %} {{ m.content }}</s>{% endif %}{% endfor %}"""


def test_good() -> None:
    assert findings("A103", sound()) == []


def test_bad() -> None:
    found = one("A103", subject(template=chatml().replace(GENERATION_PROMPT, "")), Severity.ERROR)
    assert "<|im_start|>assistant" in found.evidence


def test_answers_without_a_header_need_no_prompt() -> None:
    assert findings("A103", subject(template=INSTRUCT)) == []


def test_a_turn_that_is_always_opened_is_fine() -> None:
    always = chatml().replace(GENERATION_PROMPT, GENERATION_PROMPT.split("\n")[1])
    assert findings("A103", subject(template=always)) == []
