"""What would end the engine or keep it for minutes is refused; what is below the bounds, the real engine stands."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.bounds import check_bounds
from pipeline.deploy.door.model import Upstream
from tests.deploy.door.conftest import Front
from tests.deploy.door.test_connection import processing

HELLO = [{"role": "user", "content": "Hello!"}]


def chain(rules: int) -> str:
    lines = [f"r{number} ::= r{number + 1}" for number in range(rules - 1)]
    return "\n".join(["root ::= r0", *lines, f'r{rules - 1} ::= "a"'])


def nested(levels: int) -> str:
    return "root ::= " + "(" * levels + '"a"' + ")" * levels


def lists(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def references(count: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        f"a{number}": {"type": "array", "items": {"$ref": f"#/$defs/a{number + 1}"}} for number in range(count - 1)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**made, f"a{count - 1}": {"type": "string"}}}


def asked(schema: dict[str, Any]) -> dict[str, Any]:
    return {"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


def called(arguments: str) -> dict[str, Any]:
    call = {"type": "function", "id": "1", "function": {"name": "f", "arguments": arguments}}
    return {"messages": [*HELLO, {"role": "assistant", "tool_calls": [call]}]}


# Each as far beyond its bound as it takes to end the process of the pinned commit.
FATAL: list[dict[str, Any]] = [
    {"prompt": "a", "grammar": nested(20_000)},
    {"prompt": "a", "grammar": chain(100_000)},
    {"prompt": "a", "grammar": 'root ::= "a"', "grammar_lazy": True, "grammar_triggers": [{"type": 2, "value": "("}]},
    {"prompt": "a", "chat_parser": "{}"},
    asked(references(20_000)),
    called('{"a":' * 50_000 + "1" + "}" * 50_000),
    {"input": [{"type": "function_call", "call_id": "1", "name": "f", "arguments": "[" * 500_000 + "]" * 500_000}]},
]
TOO_MUCH = [
    {"prompt": "a", "grammar": nested(201)},
    {"prompt": "a", "grammar": chain(2000)},
    {"prompt": "a", "grammar": 'root ::= "' + "a" * (256 << 10) + '"'},
    asked(references(1001)),
    asked(lists(200)),
    asked({"enum": [f"k{number}" for number in range(1001)]}),
    asked({"properties": {f"k{number}": {} for number in range(1001)}}),
    called("[" * 201),
    {"messages": HELLO * 4097},
    {"prompt": ["a"] * 2049},
    {"prompt": "a", "stop": ["a"] * 257},
    {"messages": HELLO, "tools": [{}] * 513},
    {"prompt": "a", "n_probs": 101},
    {"messages": HELLO, "logprobs": True, "top_logprobs": 1e9},
]
STOOD = [
    ("/v1/completions", {"prompt": "a", "grammar": nested(200)}),
    ("/v1/completions", {"prompt": "a", "grammar": chain(1998)}),
    ("/v1/completions", {"prompt": "a", "grammar": 'root ::= "' + "(" * 300 + '" [(]* # ' + "(" * 300}),
    ("/v1/completions", {"prompt": "a", "n_probs": 100, "logprobs": 100}),
    ("/v1/completions", {"prompt": list(range(300, 700)), "stop": ["zzz"] * 256}),
    ("/v1/chat/completions", asked(references(1000))),
    ("/v1/chat/completions", asked(lists(190))),
    ("/v1/chat/completions", {"messages": HELLO, "logprobs": True, "top_logprobs": 20}),
    ("/v1/chat/completions", called(json.dumps({"a": "[" * 1000, "b": [{}] * 1000}))),
]


@pytest.mark.parametrize("content", [*FATAL, *TOO_MUCH])
def test_what_is_beyond_a_bound_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as error:
        check_bounds(content)
    assert error.value.answer.status == 400
    assert error.value.answer.reason in ("beyond_bounds", "not_yours")


@pytest.mark.parametrize("number", range(len(FATAL)))
def test_no_request_ends_the_engine(front: Front, engine: Upstream, number: int) -> None:
    path = "/v1/responses" if "input" in FATAL[number] else "/v1/chat/completions"
    path = "/v1/completions" if "prompt" in FATAL[number] else path
    assert front.client.post(path, json=FATAL[number]).status_code == 400
    assert processing(engine) == 0


@pytest.mark.parametrize(("path", "content"), STOOD)
def test_what_is_within_them_the_engine_stands(front: Front, path: str, content: dict[str, Any]) -> None:
    answer = front.client.post(path, json={**content, "max_tokens": 2})
    assert answer.status_code == 200 or "exceeds the available context size" in answer.text, answer.text[:300]


@pytest.mark.parametrize(
    "content",
    [
        {"grammar": '"' * 200_001},
        {"grammar": "[" * 200_000},
        {"grammar": '"\\' * 100_000 + "\\"},
        called('"' * 999_999),
        called('"\\' * 500_000 + "\\"),
        called('\\"' * 500_000),
        asked({"a": [[]] * 200_000}),
    ],
)
def test_looking_costs_little_whatever_there_is_to_see(content: dict[str, Any]) -> None:
    """Each of these takes hours where the work grows with the square of the length."""
    began = time.process_time()
    check_bounds(content)
    assert time.process_time() - began < 10


def test_what_stands_there_twice_or_is_no_number_is_refused(front: Front) -> None:
    for raw in (
        b'{"prompt": "a", "max_tokens": 1, "prompt": "b"}',
        b'{"prompt": "a", "max_tokens": 1, "stop": [{"a": 1, "a": 2}]}',
        b'{"prompt": "a", "max_tokens": 1, "temperature": NaN}',
        b'{"prompt": "a", "max_tokens": 1, "temperature": -Infinity}',
        b'{"prompt": [' + b"[]," * 1_000_000 + b"[]]}",
        b'{"prompt": [' + b"{}," * 200_000 + b"{}]}",
    ):
        answer = front.client.post("/v1/completions", content=raw)
        assert answer.status_code == 400, raw[:100]
        assert answer.json()["error"]["code"] in ("bad_json", "beyond_bounds")
