"""Every answer of the suite is found again another way than its generator found it."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.evals.engine import load_suite
from pipeline.evals.kinds import multiple_choice
from pipeline.evals.kinds.generate import Config, Row, judge
from pipeline.evals.rows import read_rows
from tests.evals.kinds.server import said

SUITES = Path(__file__).parents[3] / "evals"
SUITE = load_suite(SUITES / "general")
CONFIG: Config = SUITE.config  # type: ignore[assignment]
ROWS: tuple[Row, ...] = SUITE.data
MADE = runpy.run_path(str(SUITES / "general" / "generate.py"))
SCORED = {row.id: row for row in read_rows(SUITES / "general-scored" / "items.jsonl", multiple_choice.Row)}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def answers(skill: str) -> list[tuple[str, str]]:
    """The questions of a skill, each with its answer as a text."""
    return [(row.question, row.choices[row.answer]) for row in SCORED.values() if row.skill == skill]


@pytest.mark.parametrize(("name", "maker"), [("general", "items"), ("general-scored", "scored")])
def test_data_is_what_the_generator_writes(name: str, maker: str) -> None:
    written = [json.loads(line) for line in (SUITES / name / "items.jsonl").read_text().splitlines()]
    assert MADE[maker]() == written, "run: python evals/general/generate.py, and raise the versions"


def test_there_are_ten_skills_of_fifty_two_questions() -> None:
    assert len(ROWS) == len(SCORED) == 520
    assert set(Counter(row.skill for row in ROWS).values()) == {52} and len({row.skill for row in ROWS}) == 10
    assert len({row.question for row in SCORED.values()}) == 520
    assert {len(row.choices) for row in SCORED.values()} == {4}
    assert min(Counter(row.answer for row in SCORED.values()).values()) > 110
    assert Counter(row.match for row in ROWS)["choice"] > 120


def test_the_right_answer_is_right_and_the_wrong_ones_are_wrong() -> None:
    for row in ROWS:
        scored = SCORED[row.id]
        for place, text in enumerate(scored.choices):
            given = "ABCD"[place] if row.match == "choice" else text
            verdict = judge(CONFIG, row, said(given)).verdict
            assert verdict == ("right" if place == scored.answer else "wrong"), (row.id, given)


def test_arithmetic() -> None:
    for question, answer in answers("arithmetic"):
        numbers = [int(found) for found in re.findall(r"\d+", question)]
        if "pens" in question:
            each, boxes, taken = numbers
            value = each * boxes - taken
        elif "percent" in question:
            value = round(numbers[0] / 100 * numbers[1])
        else:
            text = question.removeprefix("What is ").rstrip("?").replace("times", "*").replace("divided by", "/")
            value = eval(text)  # noqa: S307
        assert value == int(answer), question


def test_units() -> None:
    size = {
        "kilometers": 1000,
        "meters": 1,
        "centimeters": 1e-2,
        "millimeters": 1e-3,
        "tonnes": 1e6,
        "kilograms": 1e3,
        "grams": 1,
        "liters": 1000,
        "milliliters": 1,
        "weeks": 604800,
        "days": 86400,
        "hours": 3600,
        "minutes": 60,
        "seconds": 1,
        "dozens": 12,
        "pieces": 1,
    }
    for question, answer in answers("units"):
        found = re.fullmatch(r"How many (\w+) are (\d+) (\w+)\?", question)
        assert found, question
        assert round(int(found[2]) * size[found[3]] / size[found[1]], 6) == int(answer), question


def test_dates() -> None:
    months = [date(2000, number, 1).strftime("%B") for number in range(1, 13)]
    for question, answer in answers("dates"):
        numbers = [int(found) for found in re.findall(r"\b\d+\b", question)]
        if question.startswith("Today"):
            start = DAYS.index(question.split()[2].rstrip("."))
            monday = date(2024, 1, 1)
            assert DAYS[(monday + timedelta(days=start + numbers[0])).weekday()] == answer, question
        elif question.startswith("How many days does"):
            month = months.index(question.split()[4]) + 1
            length = sum(
                (date(numbers[0], 1, 1) + timedelta(days=n)).month == month
                for n in range(366 if numbers[0] % 4 == 0 else 365)
            )
            assert length == int(answer), question
        elif question.startswith("Which month"):
            start = months.index(question.rstrip("?").split()[-1])
            assert (months * 2)[start + numbers[0]] == answer, question
        else:
            days = [date.fromisoformat(found) for found in re.findall(r"\d{4}-\d\d-\d\d", question)]
            if len(days) == 2:
                assert (days[1] - days[0]).days == int(answer), question
            else:
                assert date.fromisoformat(answer) - timedelta(days=numbers[0]) == days[0], question


def test_sorting() -> None:
    for question, answer in answers("sorting"):
        listed = re.search(r": ([^.?]+)", question)
        assert listed, question
        parts: list[Any] = listed[1].split(", ")
        parts = [int(part) if part.isdigit() else part for part in parts]
        if "comes last" in question:
            assert max(parts) == answer
        elif "second smallest" in question:
            assert str(sorted(set(parts) - {min(parts)})[0]) == answer
        else:
            assert ", ".join(map(str, sorted(parts, reverse="largest to" in question))) == answer, question


def test_strings() -> None:
    ordinals = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
    for question, answer in answers("strings"):
        found = re.search(r"\bword (\w+)", question)
        assert found
        word, letter = found[1], re.search(r"letter (\w)\b", question)
        if "backwards" in question:
            assert "".join(reversed(word)) == answer
        elif "How many letters" in question:
            assert sum(1 for _ in word) == int(answer)
        elif "vowels" in question:
            assert re.sub("[aeiou]", "", word) == answer
        elif "How many times" in question:
            assert letter and sum(char == letter[1] for char in word) == int(answer)
        elif question.startswith("Replace"):
            new = re.search(r"with the letter (\w)\.", question)
            assert letter and new and re.sub(letter[1], new[1], word) == answer
        else:
            assert list(word)[ordinals.index(question.split()[3])] == answer, question


def test_logic() -> None:
    for question, answer in answers("logic"):
        if question.startswith("Which number"):
            numbers = [int(found) for found in re.findall(r"\d+", question)]
            steps = {b - a for a, b in pairwise(numbers)}
            following = numbers[-1] + steps.pop() if len(steps) == 1 else numbers[-1] * 2
            assert following == int(answer), question
        elif question.startswith("Let A"):
            values = {name: value == "true" for name, value in re.findall(r"([ABC]) be (true|false)", question)}
            text = question.split("Is ")[1].split(" true or")[0]
            assert str(eval(text, {}, values)).lower() == answer, question  # noqa: S307
        else:
            pairs = re.findall(r"(\w+) (?:is \w+ than|stands directly behind) (\w+)\.", question)
            order = [first for first in dict(pairs) if first not in dict(pairs).values()]
            while order[-1] in dict(pairs):
                order.append(dict(pairs)[order[-1]])
            if "in front of" in question:
                asked = question.rstrip("?").split()[-1]
                assert order[order.index(asked) + 1] == answer, question
            else:
                top = any(word in question for word in ("oldest", "tallest"))
                assert order[0 if top else -1] == answer, question


def test_reading() -> None:
    for question, answer in answers("reading"):
        text, ask = question.split("\n")
        day, buyer, town, color, thing, price, room, visitor, second, room2 = re.findall(
            r"On (\w+), (\w+) went to the market in (\w+) and bought a (\w+) (\w+) for (\d+) euros\. At home, \w+ put it in the "
            r"(\w+)\. (\w+), who lives next door, came by later with an old (\w+) and left it in the (\w+)\.",
            text,
        )[0]
        known = {
            "Who bought something at the market?": buyer,
            "In which town is the market?": town,
            f"What color is the {thing}?": color,
            f"How many euros did the {thing} cost?": price,
            f"In which room is the {second}?": room2,
            f"In which room did {buyer} put the {thing}?": room,
            f"Who left the {second}?": visitor,
            f"On which day did {buyer} go to the market?": day,
        }
        assert known[ask] == answer, question


def test_code() -> None:
    """Every program is run by another interpreter, all of them in one process each."""
    programs = {question.partition("\n")[2]: answer for question, answer in answers("code")}
    script = "import json, sys\nfor program in json.load(sys.stdin):\n    exec(program, {})\n    print('<end>')"
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(list(programs)), capture_output=True, text=True, check=True
    )
    printed = [part.strip() for part in done.stdout.split("<end>\n")[:-1]]
    assert printed == list(programs.values())
