from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.not_empty import judge
from pipeline.runtime.answer import Answer


def test_not_empty() -> None:
    assert judge(Seen({}, Answer("x")), True) is None
    assert judge(Seen({}, Answer(" \n")), True) is not None
    fault = judge(Seen({}, Answer("", reasoning="Paris")), True)
    assert fault is not None and "Paris" in fault.words
