from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import SpecError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.instruction_following import EXAMPLE, Config, Row, judge, load, measure, readings
from pipeline.runtime.answer import Answer, Trouble
from tests.checks.scripted import completion
from tests.conftest import Serve
from tests.evals.kinds.server import said, says, tiny

CONFIG = Config.model_validate(EXAMPLE)
SHORT = {"id": "length_constraints:number_words", "num_words": 3, "relation": "less than"}
NO_COMMA = {"id": "punctuation:no_comma"}
ENDS = {"id": "startend:end_checker", "end_phrase": "done"}


def row(*instructions: dict[str, Any], id: str = "a") -> Row:
    return Row.model_validate({"id": id, "prompt": "Say OK.", "instructions": list(instructions)})


def test_levels_and_groups_are_counted_as_ifeval_defines_them() -> None:
    answers = {"one": "all done", "two": "first, line here\nall done", "three": "no, not at all in three"}
    rows = [
        Row.model_validate({"id": name, "prompt": name, "instructions": [SHORT, NO_COMMA, ENDS]}) for name in answers
    ]
    with says(lambda body: completion(answers[body["messages"][-1]["content"]])) as (_, server):
        metrics, items = measure(CONFIG, rows, server, SILENT)
    # "two" keeps only the end; without its first line, it keeps all. "three" keeps nothing.
    assert [item.detail["strict"] for item in items] == [[True] * 3, [False, False, True], [False] * 3]
    assert [item.detail["loose"] for item in items] == [[True] * 3, [True] * 3, [False] * 3]
    assert [item.score for item in items] == [1, 0, 0]
    values = {metric.name: (round(metric.value, 6), metric.n) for metric in metrics}
    assert values == {
        "prompt_strict": (0.333333, 3),
        "prompt_loose": (0.666667, 3),
        "instruction_strict": (0.444444, 9),
        "instruction_loose": (0.666667, 9),
        "unknown": (0, 3),
        "at_once": (1, 3),
        "instruction_strict@length_constraints": (0.333333, 3),
        "instruction_strict@punctuation": (0.333333, 3),
        "instruction_strict@startend": (0.666667, 3),
    }
    assert items[1].detail["reason"] == "not kept: length_constraints:number_words, punctuation:no_comma"


def test_tiny_chat_says_ok(serve: Serve, tiny_chat: Path) -> None:
    metrics, (kept, broken) = measure(
        CONFIG, [row(SHORT, NO_COMMA), row(SHORT, ENDS, id="b")], tiny(serve(tiny_chat)), SILENT
    )
    assert kept.detail["answer"] == broken.detail["answer"] and kept.detail["answer"]
    assert (kept.score, broken.score) == (1, 0)
    assert {metric.name: metric.value for metric in metrics}["instruction_strict"] == 0.75


def test_the_eight_readings() -> None:
    assert readings("a*\nb\n*c") == ["a*\nb\n*c", "b\n*c", "a*\nb", "b", "a\nb\nc", "b\nc", "a\nb", "b"]
    assert len(readings("")) == 8


def test_an_empty_answer_keeps_nothing() -> None:
    judged = judge(CONFIG, row(NO_COMMA), said("  "))
    assert (judged.verdict, judged.detail["strict"], judged.detail["loose"]) == ("wrong", [False], [False])


def test_what_cannot_be_told_is_unknown_unless_another_instruction_is_broken() -> None:
    english = {"id": "language:response_language", "language": "en"}
    judged = judge(CONFIG, row(english, NO_COMMA), said("OK"))
    assert (judged.verdict, judged.detail["strict"]) == ("unknown", [None, True])
    assert judged.reason == "can't be told: language:response_language"
    assert judge(CONFIG, row(english, NO_COMMA), said("OK, so")).verdict == "wrong"


def test_no_answer_and_a_cut_one_are_unknown() -> None:
    refused = Answer(trouble=Trouble("http_error", "the server answered 400: too long"))
    judged = judge(CONFIG, row(NO_COMMA), refused)
    assert (judged.verdict, judged.detail["strict"]) == ("unknown", [None])
    assert judged.reason == "http_error: the server answered 400: too long"
    cut = judge(CONFIG, row(ENDS), said("it is not", finish="length", tokens=9))
    assert cut.verdict == "unknown" and "end of the context after 9 of 512" in cut.reason


def test_ifeval_s_own_rows_are_read(tmp_path: Path) -> None:
    line = {
        "key": 1000,
        "prompt": "Write without commas, in 300 words at least.",
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{}, {"relation": "at least", "num_words": 300, "keyword": None}],
    }
    (tmp_path / "items.jsonl").write_text(json.dumps(line) + "\n")
    (one,) = load(CONFIG, tmp_path)
    assert (one.id, [part.id for part in one.instructions]) == ("1000", line["instruction_id_list"])
    assert judge(CONFIG, one, said("word " * 300)).verdict == "right"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instructions": []}, "instructions"),
        ({"instructions": [{"id": "keywords:nothing"}]}, "keywords:nothing"),
        ({"instructions": [{**SHORT, "num_words": "3"}]}, "num_words"),
        ({"instructions": [{"id": "punctuation:no_comma", "much": 1}]}, "much"),
        ({"prompt": ""}, "prompt"),
        ({"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}, "one length"),
    ],
)
def test_faulty_items_are_refused_with_their_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    good = {"id": "a", "prompt": "p", "instructions": [NO_COMMA]}
    (tmp_path / "items.jsonl").write_text(json.dumps(good) + "\n" + json.dumps({**good, "id": "b", **changes}) + "\n")
    with pytest.raises(SpecError, match=words) as raised:
        load(CONFIG, tmp_path)
    assert {problem.line for problem in raised.value.problems} == {2}
