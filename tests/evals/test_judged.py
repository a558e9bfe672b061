from __future__ import annotations

from dataclasses import asdict

import pytest

from pipeline.core.canonical import digest_of
from pipeline.evals.judged import Judgement, cut_off, item_of, shares, trouble
from pipeline.evals.kinds import generate, tool_use
from pipeline.runtime.answer import Answer, Call, Trouble
from tests.evals.kinds.server import said


def test_an_item_shows_prompt_answer_wanted_verdict_and_reason() -> None:
    item = item_of("a", "s", "q?", said("no", ("f", "{}")), "yes", Judgement("wrong", "another text", {"more": 1}))
    assert (item.id, item.score) == ("a", 0)
    digest = str(digest_of({"content": "no", "reasoning": "", "calls": [{"name": "f", "arguments": "{}"}]}))
    assert item.detail == {
        "verdict": "wrong",
        "reason": "another text",
        "skill": "s",
        "prompt": "q?",
        "answer": "no",
        "wanted": "yes",
        "calls": [{"name": "f", "arguments": "{}"}],
        "more": 1,
        "finish": "stop",
        "tokens": 5,
        "digest": digest,
    }


def test_the_digest_is_that_of_the_output_alone() -> None:
    judged = Judgement("right")
    one, other = (item_of(id, "s", id, said("same"), id, judged).detail["digest"] for id in "ab")
    assert one == other
    assert item_of("a", "s", "a", Answer("same", reasoning="hm"), "a", judged).detail["digest"] != one


def test_unknown_counts_among_all_and_never_among_the_right() -> None:
    verdicts = ["right", "wrong", "unknown", "right"]
    items = [
        item_of(str(number), "xy"[number % 2], "q", said(), "w", Judgement(verdict))  # type: ignore[arg-type]
        for number, verdict in enumerate(verdicts)
    ]
    assert [item.score for item in items] == [1, 0, 0, 1]
    acc, unknown, at_once, x, y = shares(items, 4)
    assert (acc.name, acc.value, acc.n, unknown.value, at_once.value) == ("acc", 0.5, 4, 1, 4)
    assert acc.low == pytest.approx(0.15, abs=0.01) and acc.high == pytest.approx(0.85, abs=0.01)
    assert [(m.name, m.value, m.n) for m in (x, y)] == [("acc@x", 0.5, 2), ("acc@y", 0.5, 2)]
    assert [metric.name for metric in shares(items[:1], 1)] == ["acc", "unknown", "at_once"]


def test_what_the_server_says_is_the_reason() -> None:
    assert trouble(said("fine")) is None
    judged = trouble(Answer(trouble=Trouble("timeout", "no answer within 5 seconds")))
    assert judged == Judgement("unknown", "timeout: no answer within 5 seconds")


@pytest.mark.parametrize(
    ("finish", "tokens", "cut"),
    [("stop", 5, False), ("length", 5, True), ("length", 10, False), ("length", None, False)],
)
def test_cut_off_by_the_context_is_not_cut_off_by_the_suite(finish: str, tokens: int | None, cut: bool) -> None:
    answer = Answer("x", finish_reason=finish, tokens=tokens)
    assert bool(cut_off(answer, 10)) is cut


_BIG = "9" * 400
_HOSTILE = (
    '"\\ud800"',
    "\ud800",
    '{"a": "\\ud800"}',
    '{"\\ud800": 1}',
    "1e999",
    '{"a": 1e999}',
    f'{{"a": {_BIG}}}',
    '{"a": 1e308}',
)


@pytest.mark.parametrize("text", _HOSTILE)
def test_no_answer_ends_an_eval(text: str) -> None:
    """Half a surrogate pair, infinity, a number beyond a float's: all of it is judged, and can be recorded."""
    number = {"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.1}}, "minProperties": 1}
    asked = generate.Config.model_validate({**generate.EXAMPLE, "match": "schema"})
    for wanted in (number, {"type": "integer"}, {"enum": ["x"]}):
        row = generate.Row(id="1", question="q", answer=wanted)
        judged = generate.judge(asked, row, Answer(text, text, finish_reason="stop"))
        digest_of(asdict(item_of("1", "s", "p", Answer(text, text), wanted, judged)))
    for kind in ("integer", "float", "string", "array", "dict"):
        tool = {"name": "f", "parameters": {"type": "dict", "properties": {"a": {"type": kind}}}}
        offer = tool_use.Row.model_validate({"id": "1", "prompt": "p", "tools": [tool], "calls": [{"f": {"a": [1]}}]})
        answer = Answer(calls=(Call("1", "f", text),), finish_reason="tool_calls")
        judged = tool_use.judge(tool_use.Config.model_validate(tool_use.EXAMPLE), offer, answer)
        assert judged.verdict == "wrong"
        digest_of(asdict(item_of("1", "s", "p", answer, {}, judged)))
