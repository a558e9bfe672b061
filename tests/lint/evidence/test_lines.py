from __future__ import annotations

import json

import pytest

from pipeline.lint.evidence.lines import LINES, TOOLS, Line


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_line_is_a_conversation_that_goes_on(line: Line) -> None:
    user, said, *rest = line.conversation()
    assert user["role"] == "user" and said["content"] == line.content
    assert [one["role"] for one in rest] == (
        ["tool"] * len(line.calls) if line.calls else [] if line.thought else ["user"]
    )
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in said.get("tool_calls", ())
    ]
    assert calls == [(name, dict(arguments)) for name, arguments in line.calls]
    assert [call["id"] for call in said.get("tool_calls", ())] == [one["tool_call_id"] for one in rest if line.calls]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_its_end_is_found_by_words_that_it_has(line: Line) -> None:
    assert line.words and all(word in json.dumps(line.conversation()[1], ensure_ascii=False) for word in line.words)


def test_tools_are_declared_for_every_call() -> None:
    declared = {tool["function"]["name"]: tool["function"]["parameters"]["properties"].keys() for tool in TOOLS}
    for line in LINES:
        assert line.tools == bool(line.calls)
        assert all(set(arguments) == set(declared[name]) for name, arguments in line.calls)


def test_ids_may_say_the_name() -> None:
    (line,) = (line for line in LINES if line.name == "parallel")
    ids = [call["id"] for call in line.conversation(spelled=True)[1]["tool_calls"]]
    assert ids == ["functions.quern_lookup:0", "functions.quern_lookup:1"]
