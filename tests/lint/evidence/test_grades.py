from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.lint.evidence.grades import Grade, grade, said
from pipeline.lint.evidence.scenes import Take
from pipeline.runtime.answer import Answer, Call, Trouble
from tests.lint.played import CALL, CAME, END, scene, take

CALLS = scene("call", calls=(CALL,), content="", tools=True)
TWO = replace(CALLS, name="parallel", calls=(CALL, CALL))
THINKS = scene("thought", thought="Hm")
OTHER = replace(CAME, arguments='{"quern_place": "Quern"}')
CRASH = Answer(trouble=Trouble("server_crash", "the connection broke"))


@pytest.mark.parametrize(
    "fine",
    [
        take(scene()),
        take(CALLS),
        take(TWO),
        take(THINKS),
        take(scene("unended", ended=False), Answer("Fine on on", finish_reason="length")),
        take(scene("cut-call", calls=(CALL,), whole=False), Answer(calls=(OTHER,), finish_reason="length")),
        take(scene("bare", content="{}"), Answer("{}", finish_reason="stop")),
        take(scene("bare", content="{}"), Answer(calls=(CAME,), finish_reason="tool_calls")),
        take(replace(CALLS, content="Fine"), Answer("", "Fine", (CAME,), "tool_calls")),
        take(scene(), Answer(" Fine\n", finish_reason="stop")),
    ],
)
def test_what_is_as_it_should_be_gets_no_grade(fine: Take) -> None:
    assert grade(fine) is None


@pytest.mark.parametrize(
    ("of", "want"),
    [
        (take(scene(), CRASH, died=True), Grade.DIES),
        (take(scene(), streamed=CRASH), Grade.REFUSED),
        (take(scene(), Answer(f"Fine{END} on on", finish_reason="length")), Grade.ENDLESS),
        (take(scene("unended", ended=False), Answer("Fine", finish_reason="stop")), Grade.EARLY),
        (take(scene("cut-call", calls=(CALL,), whole=False), Answer(finish_reason="stop")), Grade.EARLY),
        (take(CALLS, Answer('{"name": 1}', finish_reason="stop")), Grade.UNREAD),
        (take(CALLS, Answer(reasoning="call", finish_reason="stop")), Grade.UNREAD),
        (take(CALLS, Answer("", "", (CAME, CAME), "tool_calls")), Grade.ARGUMENT),
        (take(CALLS, Answer("", "", (OTHER,), "length")), Grade.ARGUMENT),
        (take(CALLS, Answer("", "", (Call("a", "quern_lookup", "{"),), "tool_calls")), Grade.ARGUMENT),
        (take(TWO, Answer("", "", (CAME,), "tool_calls")), Grade.PARALLEL),
        (take(TWO, Answer("", "", (OTHER,), "tool_calls")), Grade.ARGUMENT),
        (take(CALLS, Answer("", "", (CAME,), "length")), Grade.ENDLESS),
        (take(THINKS, Answer("Hm</think>Fine", finish_reason="stop")), Grade.THINKING),
        (take(THINKS, Answer("Fine", "<think>Hm", finish_reason="stop")), Grade.THINKING),
        (take(scene(), Answer("", "Fine", finish_reason="stop")), Grade.THINKING),
        (take(scene(), Answer(f"Fine{END}", finish_reason="stop")), Grade.LEAK),
        (take(scene(), Answer("Fi\ufffd", finish_reason="stop")), Grade.LETTERS),
        (take(scene(), Answer("Fi", finish_reason="stop")), Grade.LOST),
        (take(scene(), Answer("Fine, assistant", finish_reason="stop")), Grade.LOST),
        (take(scene("bare", content="{}"), Answer("", finish_reason="stop")), Grade.LOST),
        (take(CALLS, Answer("", "", (CAME,), "stop")), Grade.FINISH),
        (take(scene(), streamed=Answer("Fi", finish_reason="stop")), Grade.STREAM),
        (take(CALLS, streamed=Answer("", "", (OTHER,), "tool_calls", problems=("no id",))), Grade.STREAM),
    ],
)
def test_what_is_wrong_gets_its_grade(of: Take, want: Grade) -> None:
    found = grade(of)
    assert found is not None and found[0] is want and found[1]


def test_an_answer_in_words() -> None:
    assert said(Answer()) == "nothing"
    words = said(Answer("Fine", "Hm", (CAME,)))
    assert words.startswith('content "Fine" and reasoning "Hm" and the call quern_lookup(')
    assert len(said(Answer("x" * 1000))) < 120
