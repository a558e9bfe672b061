from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, SpecError, UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.tool_use import EXAMPLE, Config, Row, category, json_schema, judge, load, measure, request
from pipeline.runtime.answer import Answer, Trouble
from tests.conftest import Serve
from tests.evals.kinds.server import said, says, tiny

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Get the current weather in a city", "parameters": CITY}
TIME = {"name": "get_time", "description": "Get the local time in a city", "parameters": CITY}
BERGEN = {"get_weather": {"city": ["Bergen"]}}
BFCL = {
    "id": "multiple_0",
    "question": [[{"role": "user", "content": "What is the weather in Bergen?"}]],
    "function": [
        {
            "name": "weather.get",
            "description": "Get the current weather in a city",
            "parameters": {
                "type": "dict",
                "properties": {
                    "city": {"type": "string"},
                    "range": {"type": "tuple", "items": {"type": "float"}, "optional": True},
                },
                "required": ["city"],
            },
        }
    ],
}


def config(**changes: Any) -> Config:
    return Config.model_validate({**EXAMPLE, **changes})


def row(**changes: Any) -> Row:
    content = {"id": "a", "prompt": "What is the weather in Bergen?", "tools": [WEATHER], "calls": [BERGEN], **changes}
    return Row.model_validate(content)


def test_tiny_chat_calls_its_tools(serve: Serve, tiny_chat: Path) -> None:
    rows = [
        row(),
        row(id="b", tools=[TIME, WEATHER], calls=[{"get_weather": {"city": ["Oslo"]}}]),
        row(id="c", prompt="Hello!", calls=[]),
        row(id="d", tools=[TIME, WEATHER]),
    ]
    metrics, items = measure(config(), rows, tiny(serve(tiny_chat), tools=True), SILENT)
    assert [(item.detail["skill"], item.detail["verdict"]) for item in items] == [
        ("simple", "right"),
        ("multiple", "wrong"),
        ("irrelevance", "right"),
        ("multiple", "right"),
    ]
    assert items[0].detail["calls"] == [{"name": "get_weather", "arguments": '{"city": "Bergen"}'}]
    assert items[1].detail["reason"] == 'get_weather: city is "Bergen", accepted are ["Oslo"]'
    values = {metric.name: metric.value for metric in metrics}
    assert (values["acc"], values["acc@multiple"], values["unknown"]) == (0.75, 0.5, 0)


def test_categories() -> None:
    assert category(row()) == "simple"
    assert category(row(tools=[TIME, WEATHER])) == "multiple"
    assert category(row(calls=[BERGEN, BERGEN])) == "parallel"
    assert category(row(calls=[])) == "irrelevance"


def test_verdicts() -> None:
    bergen = ("get_weather", '{"city": "bergen"}')
    assert judge(config(), row(), said("", bergen)).verdict == "right"
    none = judge(config(), row(), said("It is sunny."))
    assert (none.verdict, none.reason) == ("wrong", "no call came, 1 wanted")
    assert judge(config(), row(), said("", bergen, bergen)).verdict == "wrong"
    assert judge(config(), row(calls=[]), said("I can't.")).verdict == "right"
    needless = judge(config(), row(calls=[]), said("", bergen))
    assert needless.verdict == "wrong" and needless.reason.startswith("0 calls wanted, 1 call came: get_weather")


def test_what_cannot_be_judged_is_unknown() -> None:
    unseen = judge(config(), row(calls=[]), said("I can't."), False)
    assert (unseen.verdict, unseen.reason) == (
        "unknown",
        "the chat template has no tool support, so the model never saw the tools",
    )
    assert judge(config(), row(), said("It is sunny."), False).verdict == "unknown"
    refused = Answer(trouble=Trouble("http_error", "the server answered 400: too long"))
    assert judge(config(), row(), refused).verdict == "unknown"
    for calls in ([], [BERGEN]):
        cut = judge(config(), row(calls=calls), said("I will", finish="length", tokens=9))
        assert cut.verdict == "unknown" and "end of the context" in cut.reason


def test_bfcl_s_own_rows_are_read_with_their_answers(tmp_path: Path) -> None:
    answers = {"id": "multiple_0", "ground_truth": [{"weather.get": {"city": ["Bergen"], "range": ["", [0.0]]}}]}
    question = json.dumps(BFCL) + "\n"
    (tmp_path / "questions.json").write_text(question)
    (tmp_path / "answers.json").write_text(json.dumps(answers) + "\n")
    (one,) = load(config(data=f"questions.json@{Digest.of(question.encode())}", answers="answers.json"), tmp_path)
    assert judge(config(), one, said("", ("weather_get", '{"city": "Bergen"}'))).verdict == "right"
    assert judge(config(), one, said("", ("weather.get", '{"city": "Bergen"}'))).verdict == "wrong"
    with says("fine") as (server, serving):
        measure(config(), [one], serving, SILENT)
    function = server.requests[0]["tools"][0]["function"]
    assert function["name"] == "weather_get"
    assert function["parameters"] == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "range": {"type": "array", "items": {"type": "number"}}},
        "required": ["city"],
    }
    assert "parallel_tool_calls" not in server.requests[0]


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_are_asked_for_only_if_the_suite_says(parallel: bool) -> None:
    with says("fine") as (_, serving):
        body = request(config(parallel_tool_calls=parallel), serving, row()).body
    assert body["parallel_tool_calls"] is parallel


def test_irrelevance_needs_no_answers_and_the_rest_does(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(json.dumps({**BFCL, "id": "irrelevance_0"}) + "\n")
    (one,) = load(config(), tmp_path)
    assert category(one) == "irrelevance"
    (tmp_path / "items.jsonl").write_text(json.dumps(BFCL) + "\n")
    with pytest.raises(SpecError, match=r"items\.jsonl:1:1: calls: missing"):
        load(config(), tmp_path)
    (tmp_path / "answers.json").write_text('{"id": "other", "ground_truth": [{"weather.get": {"city": ["x"]}}]}\n')
    with pytest.raises(SpecError, match=r"items\.jsonl:1:1: there is no answer for multiple_0"):
        load(config(answers="answers.json"), tmp_path)
    (tmp_path / "answers.json").write_text('{"id": "multiple_0", "ground_truth": []}\n')
    with pytest.raises(SpecError, match=r"answers\.json:1:1: ground_truth"):
        load(config(answers="answers.json"), tmp_path)


def test_a_property_named_optional_stays() -> None:
    schema = {"type": "dict", "properties": {"optional": {"type": "any", "optional": True}}}
    assert json_schema(schema) == {"type": "object", "properties": {"optional": {"type": "string"}}}


def test_system_and_messages_go_out_in_order() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    one = Row.model_validate({"id": "a", "messages": messages, "tools": [WEATHER], "calls": []})
    with says("fine") as (_, serving):
        assert request(config(), serving, one).body["messages"] == messages


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tools": []}, "tools"),
        ({"tools": [WEATHER, WEATHER]}, "two tools have one name"),
        ({"tools": [{**WEATHER, "name": ""}]}, "name"),
        ({"calls": [{"get_time": {"city": ["x"]}}]}, "no tool 'get_time' is on offer"),
        ({"calls": [{**BERGEN, "more": {}}]}, "each names one tool"),
        ({"calls": [{"get_weather": {"city": []}}]}, "no value of city is accepted"),
        ({"calls": [{"get_weather": {"city": "Bergen"}}]}, "calls"),
        ({"prompt": ""}, "role"),
        ({"question": [[], []]}, "wants one turn"),
    ],
)
def test_faulty_items_are_refused_with_their_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    good = {"id": "a", "prompt": "p", "tools": [WEATHER], "calls": [BERGEN]}
    (tmp_path / "items.jsonl").write_text(json.dumps(good) + "\n" + json.dumps({**good, "id": "b", **changes}) + "\n")
    with pytest.raises(SpecError, match=words) as raised:
        load(config(), tmp_path)
    assert {problem.line for problem in raised.value.problems} == {2}


def test_data_elsewhere_must_be_there_and_the_same(tmp_path: Path) -> None:
    digest = "sha256:" + "0" * 64
    with pytest.raises(UsageError, match="Python package no_such_wheel"):
        load(config(data=f"python:no_such_wheel/items.json@{digest}"), tmp_path)
    with pytest.raises(DigestMismatch):
        load(config(data=f"python:pytest/__init__.py@{digest}"), tmp_path)
