from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.answer import Call
from pipeline.runtime.stream import assemble, events
from tests.checks.scripted import sse

# As llama-server b1-0c1e570 sent it; the repeated id, model and clock are left out.
RECORDED = r"""
data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"id":"84CDoyB8963XIJHLFGX6yKQSUmHPrZm9","type":"function","function":{"name":"get_weather","arguments":"{"}}]}}]}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"city\":"}}]}}]}

: ping

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \"Bergen\"}"}}]}}]}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":1,"id":"v0IKHxb67UvwemA1Se5FMF4pCWGe5xLB","type":"function","function":{"name":"get_weather","arguments":"{"}}]}}]}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"\"city\": \"Osaka\"}"}}]}}]}

data: {"choices":[{"finish_reason":"tool_calls","index":0,"delta":{}}]}

data: {"choices":[],"usage":{"completion_tokens":59,"prompt_tokens":122,"total_tokens":181}}

data: [DONE]

"""


def read(text: str) -> Any:
    return assemble(events(text.splitlines()))


def delta(index: Any = 0, id: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if id is not None:
        entry["id"] = id
    if name is not None:
        entry["function"]["name"] = name
    return {"tool_calls": [entry]}


def test_recorded_stream_of_two_calls() -> None:
    answer = read(RECORDED)
    assert answer.calls == (
        Call("84CDoyB8963XIJHLFGX6yKQSUmHPrZm9", "get_weather", '{"city": "Bergen"}'),
        Call("v0IKHxb67UvwemA1Se5FMF4pCWGe5xLB", "get_weather", '{"city": "Osaka"}'),
    )
    assert (answer.content, answer.finish_reason, answer.tokens) == ("", "tool_calls", 59)
    assert answer.problems == () and answer.trouble is None
    assert len(answer.raw["events"]) == 8


@given(st.text(), st.dictionaries(st.text(), st.text()), st.lists(st.integers(0, 200), max_size=8))
def test_any_cut_gives_the_whole(content: str, arguments: dict[str, str], cuts: list[int]) -> None:
    text = json.dumps(arguments)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [text[a:b] for a, b in itertools.pairwise(places)]
    deltas = [{"content": one} for one in content] + [delta(0, "x", "f")] + [delta(0, arguments=part) for part in parts]
    answer = read(sse(*deltas, finish="tool_calls"))
    assert answer.content == content and answer.calls == (Call("x", "f", text),) and answer.problems == ()


@pytest.mark.parametrize(
    ("deltas", "problem"),
    [
        ([delta(None, "a", "f")], "a tool call's delta has no integer index"),
        ([delta(True, "a", "f")], "a tool call's delta has no integer index"),
        ([delta(1, "a", "f")], "tool calls have the indexes [1], not 0 to 0"),
        ([delta(0, "a", "f"), delta(2, "b", "f")], "tool calls have the indexes [0, 2], not 0 to 1"),
        ([delta(0, "a", "f"), delta(0, "b")], "the id of tool call 0 changes in the middle"),
        ([delta(0, "a", "f"), delta(0, None, "f")], "the name of tool call 0 comes more than once"),
        ([delta(0, "a", "f"), delta(1, "a", "f")], "two tool calls share one id"),
        ([delta(0, None, "f")], "tool call 0 has no id"),
        ([delta(0, "a")], "tool call 0 has no name"),
        ([{"content": 5}], "content is not text"),
    ],
)
def test_breaches_of_the_protocol(deltas: list[dict[str, Any]], problem: str) -> None:
    assert read(sse(*deltas)).problems == (problem,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("data: {\n\n" + sse(), "an event is not JSON"),
        ("data: 3\n\n" + sse(), "an event is no object"),
        ("data: {}\n\n" + sse(), "an event has no choices"),
        ('data: {"choices":[{}]}\n\n' + sse(), "a choice has no delta"),
        (sse() + 'data: {"choices":[]}\n\n', "data after [DONE]"),
        (sse(done=False) + sse(), "more than one finish_reason"),
        (sse(done=False) + sse({"content": "x"}, finish=""), "a delta after the finish_reason"),
        (sse(finish=""), "no finish_reason"),
    ],
)
def test_breaches_of_the_stream(text: str, problem: str) -> None:
    assert read(text).problems == (problem,)


def test_a_stream_that_breaks_off_is_trouble_and_keeps_what_came() -> None:
    answer = read(sse({"content": "The cap"}, done=False))
    assert answer.trouble.grade == "server_crash" and "without [DONE]" in answer.trouble.words
    assert answer.content == "The cap"


def test_an_error_in_the_stream_is_trouble() -> None:
    answer = read('data: {"error":{"code":500,"message":"out of memory"}}\n\n')
    assert answer.trouble.grade == "http_error" and "out of memory" in answer.trouble.words


@given(st.text(alphabet=st.sampled_from('data:[DONE]{}"choices,\n 01'), max_size=200))
def test_no_text_raises(text: str) -> None:
    read(text)
