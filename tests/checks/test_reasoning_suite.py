"""The suite on reasoning, against servers that answer as a model that thinks does, soundly and not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipeline.checks.engine import Checked, load_suite, run_suite
from pipeline.checks.model import Verdict
from tests.checks.assertions.probes import chatml
from tests.checks.scripted import Handler, call, completion, scripted, sse
from tests.conftest import ROOT

TEMPLATE = "<think>{{ enable_thinking }}{% for t in tools %}{{ t }}{% endfor %}"
Message = dict[str, Any]


def thinker(body: Message) -> Message:
    """Answer as a sound model would."""
    last = body["messages"][-1]
    off = body.get("chat_template_kwargs") == {"enable_thinking": False}
    thought = "" if off else "Let me see."
    if body["max_tokens"] == 8:
        return {"reasoning_content": "The sky is", "content": "", "finish": "length"}
    if "response_format" in body:
        return {"reasoning_content": thought, "content": '{"sum": 42}'}
    if last["role"] == "tool":
        return {"reasoning_content": thought, "content": "It is 16 degrees and rainy."}
    if "tools" in body:
        asked = [call("get_weather", '{"city": "Bergen"}')]
        return {"reasoning_content": thought, "content": "", "tool_calls": asked, "finish": "tool_calls"}
    return {"reasoning_content": thought, "content": "50" if len(body["messages"]) > 1 else "42"}


def run(answer: Callable[[Message], Message]) -> Checked:
    def reply(handler: Handler, body: Message) -> None:
        if handler.path == "/apply-template":
            off = body.get("chat_template_kwargs") == {"enable_thinking": False}
            past = json.dumps([one.get("tool_calls") for one in body["messages"]])
            return handler.send_json({"prompt": chatml(body["messages"]).replace("<|im_start|>tool", past) + off * "x"})
        said = dict(answer(body))
        finish, calls = said.pop("finish", "stop"), said.get("tool_calls")
        if not body["stream"]:
            whole = completion(said["content"], finish=finish, calls=calls, tokens=8)
            whole["choices"][0]["message"]["reasoning_content"] = said["reasoning_content"]
            return handler.send_json(whole)
        if calls:
            said["tool_calls"] = [{"index": place, **one} for place, one in enumerate(calls)]
        return handler.send_text(sse(said, finish=finish))

    with scripted(reply) as (server, client):
        server.template = TEMPLATE
        return run_suite(load_suite(ROOT / "evals" / "reasoning"), client, model="m", sampling={})


def test_a_sound_model_passes_every_case() -> None:
    checked = run(thinker)
    assert [f"{one.case}: {one.diagnosis}" for one in checked.outcomes if one.verdict is not Verdict.PASS] == []
    assert len(checked.outcomes) == 9 and checked.causes == ()


def test_reasoning_that_is_not_parted_from_the_content() -> None:
    def leaky(body: Message) -> Message:
        said = thinker(body)
        if said["reasoning_content"] and "tool_calls" not in said:
            said |= {"content": f"<think>Let me see.</think>{said['content']}", "reasoning_content": ""}
        return said

    checked = run(leaky)
    found = {one.case: one for one in checked.outcomes}
    assert found["apart"].grade == "reasoning" and found["switched_off"].verdict is Verdict.PASS
    assert checked.causes[0].id == "reasoning" and "llama.cpp#24671" in checked.causes[0].known


def test_answers_that_stay_in_the_reasoning() -> None:
    def inward(body: Message) -> Message:
        said = thinker(body)
        if "response_format" in body:
            return {"reasoning_content": said["content"], "content": ""}
        if "tool_calls" in said:
            return {"reasoning_content": '<tool_call>{"name": "get_weather", "arguments": {}}', "content": ""}
        return said

    checked = run(inward)
    found = {one.case: one.grade for one in checked.outcomes}
    assert (found["json"], found["before_a_call"], found["apart"]) == ("in_reasoning", "in_reasoning", "answered")
    assert "in_reasoning" in {cause.id for cause in checked.causes}


def test_a_switch_that_does_nothing() -> None:
    checked = run(lambda body: thinker({**body, "chat_template_kwargs": {}}))
    assert {one.case for one in checked.outcomes if one.grade == "reasoning"} == {
        "switched_off",
        "switched_off_with_tools",
    }
