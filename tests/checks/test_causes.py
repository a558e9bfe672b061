"""Likely causes, from what servers answered that have the fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.able import Able
from pipeline.checks.causes import SHOWN, causes_of
from pipeline.checks.diagnose import GRADES
from pipeline.checks.engine import load_suite, run_suite
from pipeline.checks.model import Cause, Outcome, Verdict
from tests.checks.scripted import Handler, Scripted, call, completion, scripted, sse

HEAD = """\
kind: behaviour
version: "1"
license: Apache-2.0
source: here
group: g
stream: false
tools:
  get_weather: {description: d, parameters: {type: object}}
cases:
"""
TOOL = "  - {{id: c{i}, about: x, tools: [get_weather], turns: [{{user: Hi, expect: {{calls: [{{name: get_weather}}]}}}}]}}\n"
TEXT = "  - {{id: c{i}, about: x, turns: [{{user: Hi, expect: {{finish: stop, no_special_text: true, one_turn: true}}}}]}}\n"
QWEN = "{% for t in tools %}{{ t }}{% endfor %}<tool_call>\n</tool_call>"
BARE = '{"name": "get_weather", "arguments": {"city": "Bergen"}}'
Answers = Callable[[int], dict[str, Any]]


def found(
    folder: Path,
    case: str,
    count: int,
    answers: Answers,
    *,
    prepare: Callable[[Scripted], None] = lambda server: None,
    status: int = 200,
) -> tuple[Cause, ...]:
    """Run that many cases against a server that gives the n-th of these answers."""
    (folder / "suite.yaml").write_text(HEAD + "".join(case.format(i=i) for i in range(count)))

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_json(answers(len(handler.server.requests) - 1), status)

    with scripted(reply) as (server, client):
        server.template = QWEN
        prepare(server)
        return run_suite(load_suite(folder), client, model="m", sampling={}).causes


def test_tags_that_never_come_are_told_with_the_class_of_the_bug(tmp_path: Path) -> None:
    (cause,) = found(tmp_path, TOOL, 7, lambda n: completion(BARE))
    assert cause.words == (
        "the model never emits the tags that its template declares (<tool_call> </tool_call>): calls come as bare JSON"
        " in 7 of 7 answers that wanted a call"
    )
    assert "ollama#12174" in cause.known and "bare JSON" in cause.advice
    assert cause.cases == tuple(f"c{i}" for i in range(7))


def test_tags_that_come_at_times_are_told_apart_and_so_is_a_template_without_any(tmp_path: Path) -> None:
    good = completion("", finish="tool_calls", calls=[call("get_weather", "{}")])
    (cause,) = found(tmp_path, TOOL, 4, lambda n: completion(BARE) if n else good)
    assert cause.words.startswith("the model often does not emit the tags") and "in 3 of 4" in cause.words

    def plain(server: Scripted) -> None:
        server.template = "{% for t in tools %}{{ t }}{% endfor %}"

    (cause,) = found(tmp_path, TOOL, 2, lambda n: completion(BARE), prepare=plain)
    assert cause.words.startswith("calls come as bare JSON, without tags")


def test_markers_of_another_template_are_told_from_those_that_the_engine_misses(tmp_path: Path) -> None:
    (cause,) = found(tmp_path, TOOL, 2, lambda n: completion(f"[TOOL_CALLS][{BARE}]"))
    assert (
        "another format than its template declares: [TOOL_CALLS]" in cause.words and "ik_llama.cpp#339" in cause.known
    )
    (cause,) = found(tmp_path, TOOL, 2, lambda n: completion(f"<tool_call>\n{BARE}\n</tool_call>"))
    assert cause.words.startswith("the engine does not read the calls that the template declares")


def test_answers_that_never_stop(tmp_path: Path) -> None:
    (cause,) = found(tmp_path, TEXT, 3, lambda n: completion("and on and on", finish="length", tokens=256))
    assert cause.words.startswith("answers never stop in 3 of 3 answers") and "unsloth#416" in cause.known
    (cause,) = found(tmp_path, TEXT, 3, lambda n: completion("and", finish="stop" if n else "length"))
    assert cause.words.startswith("answers do not stop in 1 of 3 answers")


def test_a_terminator_that_comes_as_text_and_a_model_that_plays_both_sides(tmp_path: Path) -> None:
    (cause,) = found(tmp_path, TEXT, 2, lambda n: completion("Hello!<|im_end|>"))
    assert cause.id == "special_text" and "<|im_end|>" in cause.words and "unsloth#5070" in cause.known
    (cause,) = found(tmp_path, TEXT, 2, lambda n: completion("Hello!\nuser\nHi!\nassistant\nYes?"))
    assert cause.id == "plays_both_sides" and "unsloth#468" in cause.known


def test_an_end_of_turn_that_is_text_and_ends_nothing(tmp_path: Path) -> None:
    """As gemma-3-270m answers, which has no chat template, under llama.cpp's ChatML."""
    said = "Say OK.<|im_end|>\n<|im_start|>admin\nSay OK.<|im_end|>\n<|im_start"
    (cause,) = found(tmp_path, TEXT, 3, lambda n: completion(said, finish="length", tokens=48))
    assert cause.id == "special_text" and "or missing (llama.cpp then takes ChatML)" in cause.advice
    assert cause.words == (
        "special tokens come out as text in 3 of 3 answers, which then do not end: <|im_end|> <|im_start|>"
    )


def test_only_streams_that_go_wrong_are_the_engines(tmp_path: Path) -> None:
    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_text(sse({"content": "Hello"})) if body["stream"] else handler.send_json(completion("Hello!"))

    (tmp_path / "suite.yaml").write_text(HEAD.replace("stream: false\n", "") + TEXT.format(i=0))
    with scripted(reply) as (_, client):
        (cause,) = run_suite(load_suite(tmp_path), client, model="m", sampling={}).causes
    assert cause.words.startswith("only streamed answers go wrong") and "not the model" in cause.advice


def test_a_template_that_fails_and_one_without_tools(tmp_path: Path) -> None:
    raised = {"error": {"message": "Jinja Exception: roles must alternate"}}
    (cause,) = found(tmp_path, TEXT, 2, lambda n: raised, status=400)
    assert (
        cause.id == "template_raises"
        and "on 2 of 2 conversations" in cause.words
        and "roles must alternate" in cause.words
    )

    def without(server: Scripted) -> None:
        server.caps = {"supports_tools": False}

    (cause,) = found(tmp_path, TOOL, 2, lambda n: completion("No."), prepare=without)
    assert cause.id == "no_tool_support" and "no tools" in cause.words


def test_a_server_that_dies_comes_first(tmp_path: Path) -> None:
    def answers(n: int) -> dict[str, Any]:
        return completion("and on", finish="length")

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.server.healthy = len(handler.server.requests) < 4
        handler.send_json(answers(0))

    (tmp_path / "suite.yaml").write_text(HEAD + "".join(TEXT.format(i=i) for i in range(6)))
    with scripted(reply) as (_, client):
        first, second = run_suite(load_suite(tmp_path), client, model="m", sampling={}).causes
    assert (first.id, first.cases) == ("server_crash", ("c3",)) and "first in case c3" in first.words
    assert (second.id, second.cases) == ("runaway", ("c0", "c1", "c2"))


ONE = Outcome("s", "g", "a", Verdict.FAIL, "x: y", grade="answered")


@pytest.mark.parametrize(
    ("grade", "id"),
    [
        ("no_call", "no_call"),
        ("wrong_tool", "wrong_tool"),
        ("needless_call", "wrong_tool"),
        ("bad_args", "bad_args"),
        ("in_reasoning", "in_reasoning"),
        ("reasoning", "reasoning"),
        ("protocol", "protocol"),
        ("engine_limit", "engine_limit"),
        ("injection", "injection"),
        ("cache", "cache"),
        ("prompt", "template_loses"),
        ("timeout", "timeout"),
    ],
)
def test_other_grades_have_their_cause(grade: str, id: str) -> None:
    assert grade in GRADES
    (cause,) = causes_of([replace(ONE, grade=grade)], Able(tools=True))
    assert cause.id == id and cause.words and cause.advice and cause.cases == ("a",)


def test_what_passed_was_skipped_or_never_put_has_no_cause() -> None:
    fine = [
        replace(ONE, verdict=Verdict.PASS, grade="structured"),
        replace(ONE, verdict=Verdict.SKIP, grade="not_applicable"),
    ]
    assert causes_of([*fine, replace(ONE, verdict=Verdict.UNKNOWN, grade="not_reached")], Able(tools=True)) == ()


def test_answers_that_waver_and_seeds_that_fail() -> None:
    greedy = [replace(ONE, verdict=Verdict.PASS), replace(ONE, attempt=2, grade="odd")]
    (cause,) = causes_of(greedy, Able(tools=True))
    assert cause.id == "not_repeatable" and "in 1 of 1 cases" in cause.words
    drawn = [greedy[0], replace(ONE, sampled=True, grade="odd"), replace(greedy[0], sampled=True, attempt=2)]
    (cause,) = causes_of(drawn, Able(tools=True))
    assert cause.id == "sampling" and cause.words.startswith("1 of 2 sampled answers fail")


def test_the_cause_that_explains_most_comes_first_and_they_are_few() -> None:
    grades = ["no_call", "bad_args", "bad_args", "stream", "protocol", "prompt", "cache"]
    causes = causes_of([replace(ONE, case=f"c{i}", grade=grade) for i, grade in enumerate(grades)], Able(tools=True))
    assert causes[0].id == "bad_args" and len(causes) == SHOWN


def test_an_answer_without_end_under_a_schema_is_another_cause_than_a_lost_stop_token() -> None:
    runs = [replace(ONE, grade="runaway", request={"response_format": {"type": "json_object"}}), replace(ONE, case="b")]
    (cause,) = causes_of([runs[0], replace(runs[1], verdict=Verdict.PASS)], Able(tools=True))
    assert cause.id == "runaway_in_schema" and "in 1 of 2 answers" in cause.words and "maxLength" in cause.advice
