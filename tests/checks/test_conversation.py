from __future__ import annotations

from pipeline.checks.conversation import padding, said
from pipeline.checks.model import Verdict
from pipeline.checks.suite import Turn
from pipeline.runtime.answer import Answer, Call

CALLED = Answer(calls=(Call("a", "f", "{}"), Call("b", "g", "{}")))


def test_results_answer_the_calls_in_their_order() -> None:
    messages, fault = said(Turn.model_validate({"results": [{"ä": 1}, "no"]}), CALLED)
    assert fault is None
    assert messages == [
        {"role": "tool", "tool_call_id": "a", "name": "f", "content": '{"ä": 1}'},
        {"role": "tool", "tool_call_id": "b", "name": "g", "content": "no"},
    ]
    messages, fault = said(Turn.model_validate({"results": ["x"]}), CALLED)
    assert messages == [] and fault is not None and fault.verdict is Verdict.UNKNOWN


def test_messages_go_out_as_they_are() -> None:
    raw = {"role": "assistant", "reasoning_content": "so", "content": None}
    assert said(Turn.model_validate({"messages": [raw]}), CALLED) == ([raw], None)


def test_padding_is_as_long_as_it_says_and_stands_before_the_words() -> None:
    for words in (1, 12, 13, 100, 1000):
        assert len(padding(words).split()) == words
    ((message,), _) = said(Turn.model_validate({"user": "Hi", "padding": 30}), CALLED)
    assert message["content"].endswith("\n\nHi") and message["content"].startswith("1. The boat")
    assert padding(100) == padding(100) and len(set(padding(240).split(". "))) > 20
