"""Suites run to outcomes, against servers that misbehave as told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from pipeline.checks.engine import load_suite, run_suite
from pipeline.checks.model import Outcome, Verdict
from pipeline.checks.suite import CheckSuite
from tests.checks.scripted import Handler, call, completion, scripted, sse

Body = dict[str, Any]
WEATHER = call("get_weather", '{"city": "Bergen"}')


def suite(folder: Path, cases: str) -> CheckSuite:
    head = 'kind: behaviour\nversion: "1"\nlicense: Apache-2.0\nsource: here\ngroup: g\n'
    tools = "tools:\n  get_weather: {description: d, parameters: {type: object}}\n  get_time: {description: d, parameters: {type: object}}\n"
    (folder / "suite.yaml").write_text(head + tools + "cases:\n" + cases)
    return load_suite(folder)


def plain(count: int = 1, expect: str = "{finish: stop, no_special_text: true}", stream: bool = False) -> str:
    told = f"stream: {str(stream).lower()}"
    return "".join(
        f"  - {{id: c{i}, about: x, {told}, turns: [{{user: Hello!, expect: {expect}}}]}}\n" for i in range(count)
    )


def run(checked: CheckSuite, client: httpx.Client, timeout: float = 5.0) -> tuple[Outcome, ...]:
    return run_suite(checked, client, model="m", sampling={"temperature": 0.0, "seed": 7}, timeout=timeout).outcomes


def test_a_pass_carries_its_evidence(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.send_json(completion("Hello!"))) as (_, client):
        (outcome,) = run(suite(tmp_path, plain()), client)
    assert (outcome.verdict, outcome.group, outcome.case) == (Verdict.PASS, "g", "c0")
    assert outcome.diagnosis == 'answered: "Hello!", ended by stop after 3 tokens'
    assert outcome.request["messages"] == [{"role": "user", "content": "Hello!"}]
    assert (outcome.request["model"], outcome.request["seed"]) == ("m", 7)
    assert outcome.response["whole"]["body"] == completion("Hello!")


def test_a_leaked_stop_token_fails(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.send_json(completion("Hello!<|im_end|>"))) as (_, client):
        (outcome,) = run(suite(tmp_path, plain()), client)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.diagnosis.startswith("text: the content holds <|im_end|>")


def test_a_server_error_is_unknown_and_the_rest_still_runs(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.send_json({"error": {"message": "no"}}, 500)) as (server, client):
        outcomes = run(suite(tmp_path, plain(3)), client)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.UNKNOWN] * 3
    assert outcomes[2].diagnosis == "http_error: the server answered 500: no"
    assert len(server.requests) == 3


def test_a_template_that_raises_is_the_models_fault(tmp_path: Path) -> None:
    error = {"error": {"code": 400, "message": "Jinja Exception: no"}}
    with scripted(lambda handler, body: handler.send_json(error, 400)) as (_, client):
        (outcome,) = run(suite(tmp_path, plain()), client)
    assert outcome.verdict is Verdict.FAIL and outcome.diagnosis.startswith("http_error:")


def test_a_silent_server_is_asked_twice_and_no_more(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.server.stopping.wait(10)) as (server, client):
        outcomes = run(suite(tmp_path, plain(5)), client, timeout=0.2)
        assert len(server.requests) == 2
    assert {outcome.verdict for outcome in outcomes} == {Verdict.UNKNOWN}
    assert [outcome.diagnosis.split(":")[0] for outcome in outcomes] == ["timeout", "timeout", *["not_reached"] * 3]


def test_a_server_that_dies_makes_its_case_and_the_rest_unknown(tmp_path: Path) -> None:
    def answer(handler: Handler, body: Body) -> None:
        handler.server.healthy = len(handler.server.requests) < 2
        handler.send_json(completion("Hello!"))

    with scripted(answer) as (server, client):
        outcomes = run(suite(tmp_path, plain(4)), client)
        assert len(server.requests) == 2
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS, *[Verdict.UNKNOWN] * 3]
    assert [outcome.diagnosis.split(":")[0] for outcome in outcomes] == [
        "answered",
        "server_crash",
        "not_reached",
        "not_reached",
    ]
    assert outcomes[1].response


def test_nobody_there_is_unknown(tmp_path: Path) -> None:
    with httpx.Client(base_url="http://127.0.0.1:1", trust_env=False) as client:
        outcomes = run(suite(tmp_path, plain(2)), client)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("stream", "verdict", "grade"),
    [
        (sse({"content": "Hel"}, {"content": "lo!"}), Verdict.PASS, "answered"),
        (sse({"content": "Hello"}), Verdict.FAIL, "stream"),
        (sse({"content": "Hello!"}, finish="length"), Verdict.FAIL, "stream"),
        (sse({"content": "Hello!"}) + "data: {}\n\n", Verdict.FAIL, "protocol"),
        (sse({"content": "Hello!"}, done=False), Verdict.UNKNOWN, "server_crash"),
    ],
)
def test_a_stream_is_held_against_the_whole(tmp_path: Path, stream: str, verdict: Verdict, grade: str) -> None:
    def answer(handler: Handler, body: Body) -> None:
        handler.send_text(stream) if body["stream"] else handler.send_json(completion("Hello!"))

    with scripted(answer) as (_, client):
        (outcome,) = run(suite(tmp_path, plain(expect="{not_empty: true}", stream=True)), client)
    assert (outcome.verdict, outcome.diagnosis.split(":")[0]) == (verdict, grade)
    assert outcome.response["stream"]["events"]


ROUND_TRIP = """\
  - id: trip
    about: x
    stream: false
    system: Be kind.
    tools: [get_weather]
    turns:
      - {user: "Weather?", expect: {calls: [{name: get_weather, arguments: {city: Bergen}}]}}
      - {results: [{temperature: 16}], expect: {no_calls: true, says: ["16"]}}
"""


def test_a_result_goes_back_under_the_servers_own_id(tmp_path: Path) -> None:
    def answer(handler: Handler, body: Body) -> None:
        if body["messages"][-1]["role"] == "tool":
            handler.send_json(completion("It is 16 degrees."))
        else:
            handler.send_json(completion("", finish="tool_calls", calls=[WEATHER]))

    with scripted(answer) as (server, client):
        (outcome,) = run(suite(tmp_path, ROUND_TRIP), client)
    assert outcome.verdict is Verdict.PASS
    system, user, called, result = server.requests[1]["messages"]
    assert (system["role"], user["content"]) == ("system", "Weather?")
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == WEATHER["id"]
    assert json.loads(result["content"]) == {"temperature": 16}


def test_a_trip_ends_at_its_first_fault(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.send_json(completion("No."))) as (server, client):
        (outcome,) = run(suite(tmp_path, ROUND_TRIP), client)
        assert len(server.requests) == 1
    assert outcome.diagnosis == 'no_call: no tool was called; the answer is "No."'


def test_more_calls_than_results_is_unknown(tmp_path: Path) -> None:
    cases = ROUND_TRIP.replace("expect: {calls: [{name: get_weather, arguments: {city: Bergen}}]}", "expect: {}")
    both = completion("", calls=[WEATHER, call("get_time", "{}", "other")])
    with scripted(lambda handler, body: handler.send_json(both)) as (_, client):
        (outcome,) = run(suite(tmp_path, cases), client)
    assert (outcome.verdict, outcome.diagnosis) == (Verdict.UNKNOWN, "not_reached: 1 results wait for 2 calls")


QUIET = (
    "  - {id: quiet, about: x, stream: false, tools: [get_weather], turns: [{user: Hi, expect: {no_calls: true}}]}\n"
)
WANTED = "  - {id: wanted, about: x, stream: false, tools: [get_weather], turns: [{user: Hi, expect: {calls: [{name: get_weather}]}}]}\n"


def test_without_tool_support_silence_is_no_merit(tmp_path: Path) -> None:
    with scripted(lambda handler, body: handler.send_json(completion("Hello!"))) as (server, client):
        server.caps = {"supports_tools": False}
        quiet, wanted, no_tools = run(suite(tmp_path, QUIET + WANTED + plain()), client)
    assert (quiet.verdict, wanted.verdict, no_tools.verdict) == (Verdict.UNKNOWN, Verdict.FAIL, Verdict.PASS)
    assert "never saw the tools" in quiet.diagnosis and "never saw the tools" in wanted.diagnosis


def test_a_failure_outranks_an_engine_limit(tmp_path: Path) -> None:
    case = "  - {id: c, about: x, stream: false, tools: [get_weather], tool_choice: required, turns: [{user: Hi, expect: {obeyed_tool_choice: true, says: [Bye]}}]}\n"
    with scripted(lambda handler, body: handler.send_json(completion("Hello!"))) as (_, client):
        (outcome,) = run(suite(tmp_path, case), client)
    assert outcome.verdict is Verdict.FAIL


def test_progress_counts_the_cases(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Recording:
        def task(self, label: str, total: int | None = None, unit: str = "") -> Recording:
            seen.append((label, total, unit))
            return self

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def advance(self, amount: int = 1) -> None:
            seen.append(amount)

        def note(self, message: str) -> None: ...

    with scripted(lambda handler, body: handler.send_json(completion("Hello!"))) as (_, client):
        run_suite(suite(tmp_path, plain(2)), client, model="m", sampling={}, progress=Recording())
    assert seen == [(f"check {tmp_path.name}", 2, "attempts"), 1, 1]
