from __future__ import annotations

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.tokens_at_most import judge
from pipeline.runtime.answer import Answer


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        (Answer("OK", finish_reason="stop", tokens=3), None),
        (Answer("OK, and", finish_reason="stop", tokens=4), "too_long"),
        (Answer("OK OK", finish_reason="length", tokens=4), "runaway"),
        (Answer("OK", finish_reason="stop"), "protocol"),
    ],
)
def test_tokens_are_counted_by_the_server(answer: Answer, grade: str | None) -> None:
    fault = judge(Seen({}, answer), 3)
    assert (fault.grade if fault else None) == grade
