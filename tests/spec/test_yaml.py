# ruff: noqa: E501 (a fault a line)
from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import SpecError
from pipeline.spec import yaml


def problems(text: str) -> list[str]:
    try:
        return [str(problem) for problem in yaml.parse(text, "f").problems]
    except SpecError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, word) for word in ("no", "NO", "yes", "on", "off", "y", "n", "tRue", "none")),
        *(("true", True), ("False", False), ("TRUE", True)),
        *(("null", None), ("~", None), ("Null", None), ("''", ""), ("'null'", "null"), ('"true"', "true")),
        *(("12", 12), ("-3", -3), ("+4", 4), ("012", 12), ("0o17", 15), ("0x1F", 31), ("'12'", "12")),
        *(("1_000", "1_000"), ("0b11", "0b11"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("0o9", "0o9")),
        *(
            ("1.5", 1.5),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("-1.5e-3", -0.0015),
            (".inf", ".inf"),
            (".nan", ".nan"),
        ),
        *(("1.2.3", "1.2.3"), ("٣", "٣"), ("9" * 41, "9" * 41), ("1e999", math.inf)),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = yaml.parse(f"key: {text}", "f").value["key"]
    assert found == value and type(found) is type(value)


def test_an_empty_file_is_nothing() -> None:
    for text in ("", "# a comment\n", "---\n", "\ufeff"):
        assert yaml.parse(text, "f").value is None


def test_positions_are_those_of_keys_and_values() -> None:
    document = yaml.parse("# first\na: 1\nb:\n  - x\n  - {c: 1.10}\n", "f")
    assert (document.keys["a",], document.values["a",]) == ((2, 1), (2, 4))
    assert (document.values["b", 0], document.keys["b", 1, "c"], document.values["b", 1, "c"]) == (
        (4, 5),
        (5, 6),
        (5, 9),
    )
    assert document.written["b", 1, "c"] == "1.10"
    assert str(document.problem(("b", 1, "missing", "deeper"), "m")) == "f:5:5: m"
    assert str(document.problem(("b", 1, "c"), "m", at_key=True)) == "f:5:6: m"
    assert str(yaml.Document("f").problem(("x",), "m")) == "f:1:1: m"


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "duplicate key": ("a: 1\nb: 2\na: 3\n", ["f:3:1: key 'a' stands here twice (first in line 1)"]),
        "duplicate key, written otherwise": ("a: 1\n'a': 3\n", ["f:2:1: key 'a' stands here twice (first in line 1)"]),
        "all duplicates": ("{a: {b: 1, b: 2}, c: 1,\n c: 2}", ["f:1:12: key 'b' stands here twice (first in line 1)", "f:2:2: key 'c' stands here twice (first in line 1)"]),
        "key of another kind": ("? [a]\n: 1\n", ["f:1:3: a key must be plain text"]),
        "alias": ("a: &x 1\nb: *x\nc: *y\n", [f"f:{line}:4: an alias stands here (write the value out: aliases are not supported)" for line in (2, 3)]),
        "alias as key": ("*x : 1\n", ["f:1:1: an alias stands here (write the value out: aliases are not supported)"]),
        "alias to itself": ("a: &x [*x]\n", ["f:1:8: an alias stands here (write the value out: aliases are not supported)"]),
        "merge": ("a: &x {}\nb:\n  <<: *x\n", ["f:3:7: an alias stands here (write the value out: aliases are not supported)"]),
        "tag on a scalar": ("a: !!str 1", ["f:1:4: the tag !!str is not supported (leave it out)"]),
        "tag on a mapping": ("a: !!python/object:os.system {}", ["f:1:4: the tag !!os.system is not supported (leave it out)"]),
        "tag on a sequence": ("a: !mine [1]", ["f:1:4: the tag !mine is not supported (leave it out)"]),
        "tag without a name": ("a: ! 3", ["f:1:4: the tag ! is not supported (leave it out)"]),
        "tab": ("a:\n\tb: 1\n", ["f:2:1: not valid YAML: while scanning for the next token: found character '\\t' that cannot start any token (indent with spaces)"]),
        "two documents": ("a: 1\n---\nb: 1\n", ["f:2:1: a second document begins here (one file holds one document: remove it)"]),
        "control character": ("a: 1\nb: \x07", ["f:2:4: the character U+0007 stands here (remove it)"]),
        "half a pair": ('a: "x\\ud800"', ["f:1:4: half of a surrogate pair is no character"]),
        "half a pair as key": ('"\\udfff": 1', ["f:1:1: a key must be plain text"]),
        "too deep, block": ("\n".join("  " * n + "a:" for n in range(60)), ["f:52:103: nested deeper than 50 levels"]),
        "too deep, flow": ("[" * 10_000, ["f:1:1: nested deeper than 50 levels"]),
    }.values(),
)  # fmt: skip
def test_faults_of_form(text: str, told: list[str]) -> None:
    assert problems(text) == told


@pytest.mark.parametrize(
    ("text", "place"), [("a: [1,\n", "2:1"), ("a: b: c", "1:5"), ("a: 'x\n", "2:1"), ("- a\nb: 1", "2:1")]
)
def test_what_is_no_yaml_is_told_where(text: str, place: str) -> None:
    (told,) = problems(text)
    assert told.startswith(f"f:{place}: not valid YAML: ")


def test_an_escape_beyond_unicode_is_a_fault() -> None:
    (told,) = problems('a: "\\UFFFFFFFF"')
    assert told.startswith("f:1:") and "no Unicode character" in told


def test_a_billion_laughs_are_told_at_once_and_cost_nothing() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    began = time.monotonic()
    assert len(problems("\n".join(lines))) == 99
    assert time.monotonic() - began < 2


PIECES = ["a", ":", " ", "\n", "- ", "  ", "\t", "'", '"', "[", "]", "{", "}", ",", "&x ", "*x", "!!int ", "? ", "|\n", ">-\n", "#", "%", "@", "---", "...", "<<", "\\u", "\\ud800", "\x00", "\ufeff", "é", "1e5", "0x", "true", "~", "\U0001f600", "\x85", "\u2028"]  # fmt: skip


@settings(max_examples=200, deadline=None)
@example('"\\UFFFFFFFF"')
@example('"\\ud800": [')
@example("\x00")
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_gives_a_value_or_a_spec_error(text: str) -> None:
    try:
        document = yaml.parse(text, "f")
    except SpecError as error:
        assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in error.problems)
    else:
        assert all(problem.line >= 1 and problem.column >= 1 for problem in document.problems)


def test_damaged_text_gives_a_value_or_a_spec_error() -> None:
    sound = (
        "name: m\nsource: file:x\nchat: {stop: ['<|im_end|>', \"\\u0041\"]}\ngates:\n  metrics:\n    a.b: {min: 0.5}\n"
    )
    chance = random.Random(0)
    for _ in range(500):
        at, size = chance.randrange(len(sound)), chance.randrange(4)
        problems(sound[:at] + chance.choice(PIECES) + sound[at + size :])
