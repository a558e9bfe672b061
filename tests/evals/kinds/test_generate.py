from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DigestMismatch, SpecError, UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.generate import EXAMPLE, Config, Row, ask_text, check, judge, load, measure, taken
from pipeline.runtime.answer import Answer
from tests.conftest import Serve
from tests.evals.kinds.server import said, says, tiny

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def config(**changes: Any) -> Config:
    return Config.model_validate({**EXAMPLE, "question": "{question}", "match": "exact", **changes})


def row(**changes: Any) -> Row:
    return Row.model_validate({"id": "a", "question": "What is the capital of France?", "answer": "Paris", **changes})


def test_tiny_chat_is_asked_through_its_server_in_parallel_and_greedily(serve: Serve, tiny_chat: Path) -> None:
    rows = [
        row(skill="capitals", match="contains"),
        row(id="b", skill="capitals", question="What is the capital of Italy?", answer="Rome", match="contains"),
        row(id="c", skill="sums", question="What is 7 + 5?", answer=12, match="numeric"),
        row(id="d", skill="sums", question="Hello!", answer="Never said"),
    ]
    server = tiny(serve(tiny_chat))
    metrics, items = measure(config(), rows, server, SILENT)
    assert [item.id for item in items] == ["a", "b", "c", "d"]
    assert items[0].detail["answer"] == "The capital of France is Paris."
    assert [item.detail["verdict"] for item in items[::3]] == ["right", "wrong"]
    assert items[0].detail["prompt"] == "What is the capital of France?"
    values = {metric.name: metric for metric in metrics}
    assert values["acc"].value == sum(item.score for item in items) / 4
    assert values["acc"].low is not None and values["acc"].low < values["acc"].value < 1
    assert (values["acc@capitals"].value, values["acc@capitals"].n) == (1, 2)
    assert (values["unknown"].value, values["at_once"].value) == (0, 1)
    assert measure(config(), rows, server, SILENT) == (metrics, items), "greedy and alone: the same again"


def test_requests_are_those_of_the_lock_but_greedy() -> None:
    with says("Paris") as (server, serving):
        measure(config(system="Be brief.", max_tokens=7), [row()], serving, SILENT)
        measure(config(decoding="locked"), [row()], serving, SILENT)
        measure(config(prompt="plain", stop=["\n"]), [row()], serving, SILENT)
    greedy, locked, plain = server.requests
    assert greedy["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    assert (greedy["temperature"], greedy["seed"], greedy["max_tokens"], greedy["cache_prompt"]) == (0.0, 3, 7, False)
    assert "stop" not in greedy, "a request that names stop strings would do away with those of the lock"
    assert locked["temperature"] == 0.7
    assert (plain["prompt"], plain["stop"]) == ("What is the capital of France?", ["\n"])


def test_text_longer_than_the_context_is_unknown(serve: Serve, tiny_chat: Path) -> None:
    rows = [row(question="word " * 3000), row(id="b", match="contains")]
    metrics, items = measure(config(), rows, tiny(serve(tiny_chat)), SILENT)
    assert (items[0].detail["verdict"], items[0].score) == ("unknown", 0)
    assert "the server answered 400" in items[0].detail["reason"]
    assert "context" in items[0].detail["reason"]
    assert items[1].detail["verdict"] == "right"
    assert {metric.name: metric.value for metric in metrics} == {"acc": 0.5, "unknown": 1, "at_once": 1}


def test_a_model_without_a_template_is_not_asked_in_chat(serve: Serve, tiny_chat: Path) -> None:
    server = tiny(serve(tiny_chat), template=False)
    with pytest.raises(UsageError, match="asks in chat, and model has no chat template"):
        measure(config(), [row()], server, SILENT)
    text = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    _, (item,) = measure(config(prompt="plain", max_tokens=4), [row(question=text)], server, SILENT)
    assert item.detail["answer"].startswith("The") and item.detail["tokens"] <= 4


@pytest.mark.parametrize(
    ("match", "answer", "content", "right"),
    [
        ("exact", ["Paris", "Lutetia"], "lutetia.", True),
        ("exact", "Paris", "It is Paris", False),
        ("contains", "Paris", "It is Paris", True),
        ("numeric", 12, "7 + 5 = 12", True),
        ("numeric", 12, "12 is 7 + 5", False),
        ("regex", r"^\d+$", "007", True),
        ("choice", 1, "(B)", True),
        ("choice", 1, "Bonn", False),
        ("choice", 1, "Rome", True),
        ("schema", SCHEMA, '{"age": 3}', True),
        ("schema", SCHEMA, '{"age": "3"}', False),
        ("schema", SCHEMA, "three", False),
    ],
)
def test_each_match(match: str, answer: Any, content: str, right: bool) -> None:
    one = row(match=match, answer=answer, choices=["Oslo", "Rome"] if match == "choice" else [])
    check(match, one)  # type: ignore[arg-type]
    judged = judge(config(), one, said(content))
    assert judged.verdict == ("right" if right else "wrong")
    assert bool(judged.reason) is not right


def test_an_answer_that_met_the_context_s_end_is_unknown_one_that_met_its_limit_is_wrong() -> None:
    cut = judge(config(max_tokens=50), row(), said("It is", finish="length", tokens=20))
    assert (cut.verdict, cut.reason) == ("unknown", "cut off by the end of the context after 20 of 50 tokens")
    long = judge(config(max_tokens=50), row(), said("It is", finish="length", tokens=50))
    assert long.verdict == "wrong" and "did not end within 50 tokens" in long.reason
    assert judge(config(), row(), said("Paris", finish="length", tokens=20)).verdict == "right"


def test_an_answer_that_takes_a_pattern_too_long_is_unknown() -> None:
    judged = judge(config(match="regex"), row(answer=r"(([a-z ]+)+)+\d$"), Answer("a" * 60, finish_reason="stop"))
    assert judged.verdict == "unknown" and "takes more than 2 s" in judged.reason


@pytest.mark.parametrize(("take", "text"), [("whole", "\na\nb\n"), ("first_line", "a"), ("last_line", "b")])
def test_what_part_is_taken(take: str, text: str) -> None:
    assert taken(take, "\na\nb\n") == text
    assert taken(take, "") == ""


def test_choices_are_lettered() -> None:
    one = row(choices=["Oslo", "{question}"], answer=0)
    assert ask_text(config(), one) == "What is the capital of France?\nA. Oslo\nB. {question}"
    shown = ask_text(config(question="Q: {question}\n{choices}\nA:"), one)
    assert shown == "Q: What is the capital of France?\nA. Oslo\nB. {question}\nA:"


@pytest.mark.parametrize(
    ("match", "changes", "words"),
    [
        ("exact", {"answer": ""}, "answer: there is no answer"),
        ("exact", {"answer": None}, "answer: there is no answer"),
        ("exact", {"answer": [" . "]}, "none of them empty"),
        ("exact", {"answer": 3}, "wants text"),
        ("numeric", {"answer": "3"}, "wants a number"),
        ("numeric", {"answer": True}, "wants a number"),
        ("regex", {"answer": "("}, "no regular expression"),
        ("choice", {"answer": 2, "choices": ["a", "b"]}, "index of one of 2"),
        ("choice", {"answer": 0, "choices": ["a", "A."]}, "no two of them equal"),
        ("choice", {"answer": 0, "choices": ["a", ""]}, "choices.1"),
        ("choice", {"answer": 0}, "two at least"),
        ("schema", {"answer": {"format": "date"}}, "keyword 'format'"),
        ("exact", {"question": ""}, "question"),
        ("guess", {}, "match"),
    ],
)
def test_faulty_items_are_refused_with_their_line(
    tmp_path: Path, match: str, changes: dict[str, Any], words: str
) -> None:
    good = {"id": "a", "question": "q?", "answer": "x", "match": "exact"}
    bad = {"id": "b", "question": "q?", "answer": "x", "match": match, **changes}
    (tmp_path / "items.jsonl").write_text(json.dumps(good) + "\n\n" + json.dumps(bad) + "\n")
    with pytest.raises(SpecError, match=words) as raised:
        load(config(), tmp_path)
    assert {problem.line for problem in raised.value.problems} == {3}
    assert str(raised.value).startswith(f"{tmp_path}/items.jsonl:3:1: ")


def test_data_of_another_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "a", "question": "q?", "answer": "x"}\n')
    with pytest.raises(DigestMismatch):
        load(config(data="items.jsonl@sha256:" + "0" * 64), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "no place"},
        {"match": "fuzzy"},
        {"at_once": 0},
        {"stop": ["x"]},
        {"prompt": "plain", "system": "x"},
        {"data": "../x.jsonl"},
        {"max_tokens": 0},
    ],
)
def test_faulty_configs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**changes)
