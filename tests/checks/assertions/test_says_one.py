from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.says_one import judge
from pipeline.runtime.answer import Answer


def test_one_of_several_will_do() -> None:
    assert judge(Seen({}, Answer("SORRY, no.")), ("error", "sorry")) is None
    fault = judge(Seen({}, Answer("It is 16 degrees.")), ("error", "sorry"))
    assert fault is not None and str(fault) == 'text: none of "error", "sorry" stands in "It is 16 degrees."'
    cut = judge(Seen({}, Answer("It is", finish_reason="length")), ("error",))
    assert cut is not None and cut.grade == "runaway"
