from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, sound, subject
from tests.zoo import DROPS_SYSTEM


def test_good() -> None:
    assert findings("A104", sound()) == []


def test_bad() -> None:
    found = one("A104", subject(template=DROPS_SYSTEM + chatml()), Severity.WARNING)
    assert "drops the system turn" in found.message


def test_a_refusal_is_worth_knowing_only() -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + chatml()
    found = one("A104", subject(template=refuses), Severity.INFO)
    assert found.evidence == "no system"
    assert found.where == f"chat_template:1:{refuses.index('raise_exception') + 1}"


def test_text_that_is_lost_even_in_the_users_turn_is_an_error() -> None:
    one("A104", subject(template="<|im_start|>{{ add_generation_prompt }}"), Severity.ERROR)
