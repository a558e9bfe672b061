from __future__ import annotations

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.reasoning import judge
from pipeline.runtime.answer import Answer


@pytest.mark.parametrize(
    ("argument", "answer", "grade"),
    [
        ("present", Answer("Four.", "2 and 2"), None),
        ("present", Answer("Four."), "reasoning"),
        ("present", Answer("<think>2 and 2</think>Four.", "x"), "reasoning"),
        ("present", Answer("", finish_reason="length", tokens=9), "runaway"),
        ("absent", Answer("Four.", " \n"), None),
        ("absent", Answer("Four.", "2 and 2"), "reasoning"),
        ("absent", Answer("</think>Four."), "reasoning"),
    ],
)
def test_reasoning_and_its_place(argument: str, answer: Answer, grade: str | None) -> None:
    fault = judge(Seen({}, answer), argument)
    assert (fault.grade if fault else None) == grade
