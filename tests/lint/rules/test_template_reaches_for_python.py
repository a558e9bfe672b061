from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_an_ordinary_template_is_clean() -> None:
    assert findings("A502", subject()) == []
    harmless = "{% set __sentinel__ = messages[0]['__sentinel__'] %}{{ '__end__' if false }}"
    assert findings("A502", subject(template=harmless + chatml())) == []


@pytest.mark.parametrize(
    "attack",
    [
        "''.__class__.__mro__",
        "''['__class__']",
        "'' | attr('__class__')",
        "'' | attr('__cl' ~ 'ass__')",
        "lipsum.__globals__",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "raise_exception.func_globals",
        "messages.__getitem__",
        "['__subclasses__']",
    ],
)
def test_attacks(attack: str) -> None:
    code = "{% if false %}\n{{ " + attack + " }}{% endif %}"
    found = one("A502", subject(template=code + chatml()), Severity.ERROR)
    assert found.where.startswith("chat_template:2:")
