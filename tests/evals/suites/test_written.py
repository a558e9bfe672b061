"""The suites whose data is generated: as their generators write it, balanced, and judged right by their own kinds."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.evals.engine import load_suite
from pipeline.evals.kinds import instruction_following, structured_output, tool_use
from pipeline.evals.schema import faults
from tests.evals.kinds.server import said

SUITES = Path(__file__).parents[3] / "evals"


@pytest.mark.parametrize("name", ["tools", "instructions", "structure", "smoke"])
def test_data_is_what_its_generator_writes(name: str) -> None:
    made: list[dict[str, Any]] = runpy.run_path(str(SUITES / name / "generate.py"))["items"]()
    written = [json.loads(line) for line in (SUITES / name / "items.jsonl").read_text().splitlines()]
    assert made == written, f"run: python evals/{name}/generate.py, and raise the suite's version"


def test_tools() -> None:
    suite = load_suite(SUITES / "tools")
    rows: tuple[tool_use.Row, ...] = suite.data
    assert len(rows) >= 120
    skills = Counter(row.skill for row in rows)
    assert set(skills) == {"simple", "multiple", "parallel", "irrelevance", "types"} and min(skills.values()) >= 24
    for row in rows:
        asked = " ".join(message["content"] for message in row.messages)
        calls = [
            (name, {key: values[0] for key, values in given.items()})
            for one in row.calls or ()
            for name, given in one.items()
        ]
        for _, given in calls:  # every value that is wanted stands in the request
            for value in given.values():
                for part in value if isinstance(value, list | tuple) else [value]:
                    word = ("on" if "light" in asked else "outside") if part is True else part
                    word = ("off" if "light" in asked else "inside") if part is False else word
                    assert (f"{word:g}" if isinstance(word, float) else str(word)) in asked, (row.id, part)
        answer = said("", *((name, json.dumps(given)) for name, given in calls))
        assert tool_use.judge(suite.config, row, answer).verdict == "right", row.id  # type: ignore[arg-type]
        other = said("", *((name, json.dumps(given)) for name, given in calls), (row.tools[0].name, "{}"))
        assert tool_use.judge(suite.config, row, other).verdict == "wrong"  # type: ignore[arg-type]
        schemas = {tool.name: tool.parameters for tool in row.tools}
        assert all(list(faults(given, schemas[name])) == [] for name, given in calls)


def test_instructions() -> None:
    rows: tuple[instruction_following.Row, ...] = load_suite(SUITES / "instructions").data
    assert len(rows) >= 80 and len({row.prompt for row in rows}) == len(rows)
    kinds = Counter(one.id for row in rows for one in row.instructions)
    assert len(kinds) >= 18 and min(kinds.values()) >= 2
    assert {len(row.instructions) for row in rows} == {1, 2, 3}
    for row in rows:
        for one in row.instructions:  # every number and phrase that is judged stands in the prompt
            given = one.model_dump(exclude={"id", "relation", "let_relation", "language"})
            for value in given.values():
                for part in value if isinstance(value, tuple) else [value]:
                    assert str(part) in row.prompt, (row.id, part)


def test_structure() -> None:
    suite = load_suite(SUITES / "structure")
    rows: tuple[structured_output.Row, ...] = suite.data
    assert len(rows) >= 40
    for row in rows:
        right = structured_output.judge(suite.config, row, said(json.dumps(row.expect)))  # type: ignore[arg-type]
        assert right.verdict == "right", row.id
        for key in row.expect:
            less = {name: value for name, value in row.expect.items() if name != key}
            judged = structured_output.judge(suite.config, row, said(json.dumps(less)))  # type: ignore[arg-type]
            assert judged.verdict == "wrong", (row.id, key)


def test_smoke_is_small_and_asks_what_general_asks() -> None:
    rows = load_suite(SUITES / "smoke").data
    general = {row.id: row for row in load_suite(SUITES / "general").data}
    assert len(rows) == 30 and len({row.skill for row in rows}) == 10
    assert all(general[row.id].answer == row.answer for row in rows)


def test_the_long_text_is_long_and_plain() -> None:
    text: str = load_suite(SUITES / "long-text").data
    paragraphs = text.strip().split("\n\n")
    assert len(text) > 30_000 and text.isascii()
    assert len(paragraphs) == len(set(paragraphs)) == 60
