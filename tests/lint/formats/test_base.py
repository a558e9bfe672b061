from __future__ import annotations

from dataclasses import replace

from pipeline.lint.formats._base import fingerprint, formats
from pipeline.lint.model import Severity
from tests.lint.formats.linted import CLEAN, ERROR, SOME


def test_a_fingerprint_stays_when_the_words_change_and_not_when_the_fault_does() -> None:
    same = replace(ERROR, message="in other words", fix="otherwise", severity=Severity.INFO)
    assert fingerprint("small", ERROR) == fingerprint("small", same)
    others = (replace(ERROR, code="A202"), replace(ERROR, where="elsewhere"), replace(ERROR, evidence="else"))
    assert len({fingerprint("small", one) for one in (ERROR, *others)} | {fingerprint("other", ERROR)}) == 5


def test_there_is_a_format_for_people_and_some_for_programs() -> None:
    assert {"text", "github", "sarif"} <= set(formats())
    assert CLEAN.accepted and not SOME.accepted
