from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.lacks import judge
from pipeline.runtime.answer import Answer


def test_a_text_that_must_not_come() -> None:
    assert judge(Seen({}, Answer("I can't say.")), ("password",)) is None
    fault = judge(Seen({}, Answer("The Password is x.")), ("key", "password"))
    assert fault is not None and str(fault) == 'text: "password" stands in "The Password is x."'
