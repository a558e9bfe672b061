from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.says import judge
from pipeline.runtime.answer import Answer


def test_says() -> None:
    assert judge(Seen({}, Answer("It is 16 degrees and RAINY.")), ("16", "rain")) is None
    fault = judge(Seen({}, Answer("It is 16 degrees.")), ("16", "rain"))
    assert fault is not None and fault.grade == "text" and fault.words.startswith('"rain" is missing')
    fault = judge(Seen({}, Answer("aaaa", finish_reason="length")), ("rain",))
    assert fault is not None and fault.grade == "runaway"
