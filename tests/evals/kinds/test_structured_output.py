from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import SpecError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.structured_output import EXAMPLE, Config, Row, ask_text, judge, load, measure
from pipeline.runtime.answer import Answer, Trouble
from tests.checks.scripted import completion
from tests.conftest import Serve
from tests.evals.kinds.server import said, says, tiny

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array"}},
    "required": ["name"],
    "additionalProperties": False,
}


def config(**changes: Any) -> Config:
    return Config.model_validate({**EXAMPLE, **changes})


def row(**changes: Any) -> Row:
    return Row.model_validate({"id": "a", "prompt": "Ana is 7.", "schema": SCHEMA, **changes})


def test_tiny_chat_fits_a_schema_only_where_the_server_enforces_it(serve: Serve, tiny_chat: Path) -> None:
    small = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    metrics, (free, enforced) = measure(config(max_tokens=64), [row(schema=small)], tiny(serve(tiny_chat)), SILENT)
    assert [free.id, enforced.id] == ["a@free", "a@schema"]
    assert (free.score, enforced.score) == (0, 1)
    assert free.detail["reason"].startswith("the answer is no JSON")
    assert json.loads(enforced.detail["answer"])["ok"] in (True, False)
    values = {metric.name: metric.value for metric in metrics}
    assert (values["acc"], values["conform@free"], values["conform@schema"]) == (0.5, 0, 1)


def test_a_schema_that_the_server_cannot_enforce_is_unknown(serve: Serve, tiny_chat: Path) -> None:
    hard = {"$ref": "#"}  # valid, and without end
    _, (item,) = measure(config(ways=["schema"], max_tokens=16), [row(schema=hard)], tiny(serve(tiny_chat)), SILENT)
    assert item.detail["verdict"] == "unknown" and item.score == 0
    assert "the server answered 400" in item.detail["reason"]


def test_each_way_asks_its_own() -> None:
    with says(lambda body: completion('{"name": "Ana", "age": 7}')) as (server, serving):
        metrics, items = measure(config(ways=["free", "json", "schema"]), [row()], serving, SILENT)
    assert [body.get("response_format", {}).get("type") for body in server.requests] == [
        None,
        "json_object",
        "json_schema",
    ]
    assert server.requests[2]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert {item.score for item in items} == {1}
    assert {metric.name for metric in metrics} >= {"acc@free", "acc@json", "acc@schema", "conform@json"}


def test_the_question_shows_the_schema() -> None:
    text = ask_text(config(), row(prompt="{schema}"))
    assert text == "{schema}\nAnswer only with JSON that fits this schema: " + json.dumps(SCHEMA)


@pytest.mark.parametrize(
    ("content", "verdict", "conforms", "reason"),
    [
        ('{"name": "Ana"}', "right", True, ""),
        ('```json\n{"name": " ana."}\n```', "right", True, ""),
        ('{"name": "Eva"}', "wrong", True, "these have other values: name"),
        ('{"age": 7}', "wrong", False, "$: 'name' is missing"),
        ('{"name": "Ana", "age": "7"}', "wrong", False, "$.age"),
        ('{"name": "Ana", "more": 1}', "wrong", False, "'more' is not allowed"),
        ("Ana is 7.", "wrong", False, "the answer is no JSON"),
        ("[]", "wrong", False, "not of type object"),
        ("", "wrong", False, "the answer is no JSON"),
    ],
)
def test_verdicts(content: str, verdict: str, conforms: bool, reason: str) -> None:
    judged = judge(config(), row(expect={"name": "Ana"}), said(content))
    assert (judged.verdict, judged.detail["conforms"]) == (verdict, conforms)
    assert reason in judged.reason


def test_lists_and_numbers_of_expect_are_exact() -> None:
    one = row(expect={"age": 7, "tags": ["a", "b"]})
    assert judge(config(), one, said('{"name": "x", "age": 7, "tags": ["A", "b"]}')).verdict == "right"
    assert judge(config(), one, said('{"name": "x", "age": 7, "tags": ["b", "a"]}')).verdict == "wrong"
    assert judge(config(), one, said('{"name": "x", "age": 8, "tags": ["a", "b"]}')).verdict == "wrong"


def test_what_was_cut_off_is_unknown_unless_by_the_suite_s_own_limit() -> None:
    assert judge(config(), row(), said('{"name": "An', finish="length", tokens=9)).verdict == "unknown"
    own = judge(config(), row(), said('{"name": "An', finish="length", tokens=256))
    assert own.verdict == "wrong" and "did not end within 256 tokens" in own.reason
    assert judge(config(), row(), Answer(trouble=Trouble("timeout", "no answer"))).verdict == "unknown"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": {}}, "fitted by anything"),
        ({"schema": {"type": "object", "if": {}}}, "keyword 'if' is not known"),
        ({"schema": {"type": "objekt"}}, "no type 'objekt'"),
        ({"expect": {"age": "seven"}}, "expect: does not fit the schema"),
        ({"prompt": ""}, "prompt"),
        ({"shcema": {}}, "shcema"),
    ],
)
def test_faulty_items_are_refused_with_their_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    good = {"id": "a", "prompt": "p", "schema": SCHEMA}
    (tmp_path / "items.jsonl").write_text(json.dumps(good) + "\n" + json.dumps({**good, "id": "b", **changes}) + "\n")
    with pytest.raises(SpecError, match=words) as raised:
        load(config(), tmp_path)
    assert {problem.line for problem in raised.value.problems} == {2}
