from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_visible_characters_are_clean() -> None:
    assert findings("A501", subject()) == []
    assert findings("A501", subject(template="{# ＜｜User｜＞ ▁ é 石 👩\u200d🔧 #}\t" + chatml())) == []


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\U000e0041"])
def test_what_deceives_is_an_error(character: str) -> None:
    found = one("A501", subject(template=chatml().replace("# Tools", f"# {character}Tools")), Severity.ERROR)
    assert f"U+{ord(character):04X}" in found.message
    assert ascii(character)[1:-1] in found.evidence and character not in found.evidence


@pytest.mark.parametrize("character", ["\u200b", "\ufeff", "\x07", "\u00ad"])
def test_what_cannot_be_seen_is_a_warning(character: str) -> None:
    found = one("A501", subject(template=f"{{#{character}#}}" + chatml()), Severity.WARNING)
    assert found.where == "chat_template:1:3"
