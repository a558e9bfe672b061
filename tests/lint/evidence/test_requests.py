from __future__ import annotations

import json

from pipeline.lint.evidence.requests import DATES, FIXED, GENERATIONS, REQUESTS
from pipeline.lint.probes import ARGUMENT, PROBES, VALUE


def test_what_the_probes_say_is_said() -> None:
    for name in set(REQUESTS) & set(PROBES):
        body = REQUESTS[name]
        assert len(body["messages"]) == len(PROBES[name]["messages"])
        assert body["add_generation_prompt"] is PROBES[name].get("add_generation_prompt", False)
        assert body.get("tools") == PROBES[name].get("tools")


def test_arguments_are_text_on_the_wire() -> None:
    for name, body in REQUESTS.items():
        for call in (call for message in body["messages"] for call in message.get("tool_calls", ())):
            assert json.loads(call["function"]["arguments"])[ARGUMENT], name


def test_one_call_comes_in_three_shapes() -> None:
    shapes = [REQUESTS[name]["messages"][1] for name in ("round-text", "round-null", "round-absent")]
    assert [message.get("content", "absent") for message in shapes] == ["", None, "absent"]
    assert all(VALUE in message["tool_calls"][0]["function"]["arguments"] for message in shapes)


def test_the_clock_stands_still_and_only_one_request_says_nothing_of_thinking() -> None:
    given = {name: body["chat_template_kwargs"] for name, body in REQUESTS.items()}
    assert all(kwargs.items() >= DATES.items() for kwargs in given.values())
    assert given["thinking-off"] == {**FIXED, "enable_thinking": False}
    assert [name for name, kwargs in given.items() if "enable_thinking" not in kwargs] == ["as-served"]
    assert PROBES["thinking-off"]["enable_thinking"] is False  # and the probe itself is not changed


def test_generations_are_of_one_token() -> None:
    assert {body["max_tokens"] for body in GENERATIONS.values()} == {1}
    assert [name for name, body in GENERATIONS.items() if body.get("tool_choice")] == ["call", "rich-schema"]
