from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.verbatim import judge
from pipeline.runtime.answer import Answer


def test_every_letter_counts() -> None:
    assert judge(Seen({}, Answer('He said "Zażółć\n 猫".')), ("Zażółć\n 猫",)) is None
    fault = judge(Seen({}, Answer("Zażó�ć")), ("Zażółć",))
    assert fault is not None and fault.grade == "text" and "U+FFFD" in fault.words
    assert judge(Seen({}, Answer("zażółć")), ("Zażółć",)) is not None
    cut = judge(Seen({}, Answer("Zaż", finish_reason="length")), ("Zażółć",))
    assert cut is not None and cut.grade == "runaway"
