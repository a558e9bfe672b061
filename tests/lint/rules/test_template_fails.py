from __future__ import annotations

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, sound, subject


def test_good() -> None:
    assert findings("A102", sound()) == []


def test_syntax_error_has_its_position() -> None:
    found = one("A102", subject(template="{%- if messages -%}\n  {%- endfor %}\n"), Severity.ERROR)
    assert found.where == "chat_template:2:7"
    assert "does not parse" in found.message
    assert "endfor" in found.evidence


def test_a_refusal_has_its_position_and_words() -> None:
    found = one("A102", subject(template=chatml() + "\n{{ raise_exception('only on Mondays') }}"), Severity.ERROR)
    line = chatml().count("\n") + 2
    assert found.where == f"chat_template:{line}:4"
    assert found.evidence == "only on Mondays"


def test_long_words_are_cut() -> None:
    found = one("A102", subject(template="{{ raise_exception('x' * 5000) }}"), Severity.ERROR)
    assert len(found.message) < 300 and found.message.endswith("…")


def test_too_much_memory_is_said_in_words() -> None:
    found = one("A102", subject(template="{{ 'x' * 99999999999 }}"), Severity.ERROR)
    assert "more memory than it may have" in found.message


def test_failing_on_a_second_turn_is_found() -> None:
    found = one("A102", subject(template="{% if messages[2] %}{{ 1 / 0 }}{% endif %}"), Severity.ERROR)
    assert "user, assistant, user" in found.message


def test_a_bomb_is_found() -> None:
    bomb = "{% for a in range(9999) %}{% for b in range(9999) %}" + "x" * 999 + "{% endfor %}{% endfor %}"
    assert "limits" in one("A102", subject(template=bomb), Severity.ERROR).message


def test_reaching_for_python_is_found() -> None:
    one("A102", subject(template="{{ ''.__class__.__mro__[1].__subclasses__() }}"), Severity.ERROR)


def test_what_fails_here_is_not_judged_elsewhere() -> None:
    reasons = {rules()[code].skip(subject(template="{% if %}")) for code in ("A103", "A104", "A105", "A202")}
    assert reasons == {"the chat template does not render a plain conversation"}
