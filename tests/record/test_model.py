from __future__ import annotations

import pytest

from pipeline.checks.model import Verdict
from pipeline.record.model import Decision, Reason
from tests import factories as make

PASS, FAIL, UNKNOWN = Reason("a", Verdict.PASS, ""), Reason("b", Verdict.FAIL, ""), Reason("c", Verdict.UNKNOWN, "")
WAIVED = Reason("d", Verdict.FAIL, "", waived="accepted by ada")


@pytest.mark.parametrize(
    ("reasons", "word"),
    [
        *(((PASS, WAIVED), "accepted"), ((PASS, UNKNOWN), "unknown"), ((UNKNOWN, WAIVED), "unknown")),
        *(((UNKNOWN, FAIL), "rejected"), ((FAIL, PASS), "rejected")),
    ],
)
def test_a_fault_rejects_and_what_is_not_shown_is_unknown(reasons: tuple[Reason, ...], word: str) -> None:
    accepted = all(one.holds for one in reasons)
    decision = Decision("id", "m", "l", make.ENGINE, make.HARDWARE, accepted, reasons, (), make.NOW)
    assert decision.word == word
