from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.evals import matching


@pytest.mark.parametrize(
    ("text", "wanted", "right"),
    [
        ("Paris", ["Paris"], True),
        ("  paris. \n", ["Paris"], True),
        ('"Paris"', ["Paris"], True),
        ("**Paris**.", ["Paris"], True),
        ("`a b`", ["A  B"], True),
        ("New\nYork", ["New York"], True),
        ("ﬁne", ["fine"], True),
        ("Paris, France", ["Paris"], False),
        ("The capital is Paris.", ["Paris"], False),
        ("Pari", ["Paris"], False),
        ("", ["Paris"], False),
        ("b", ["a", "b"], True),
        ("3.5", ["35"], False),
    ],
)
def test_exact(text: str, wanted: list[str], right: bool) -> None:
    assert matching.exact(text, wanted) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The capital is Paris.", True),
        ("PARIS", True),
        ("Parisian", False),
        ("comparison", False),
        ("London", False),
    ],
)
def test_contains(text: str, right: bool) -> None:
    assert matching.contains(text, ["paris"]) is right


def test_contains_whole_words_with_space_between() -> None:
    assert matching.contains("in new\n york city", ["New York"])
    assert matching.contains("c++ is a language", ["C++"])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", "12"),
        ("7 + 5 = 12.", "12"),
        ("The result is 1,234,567.5 units", "1234567.5"),
        ("-3", "-3"),
        ("−3 °C", "-3"),
        ("$4.50", "4.50"),
        ("50%", "50"),
        ("1.5e3", "1.5e3"),
        (".5", "0.5"),
        ("about 20 kg", "20"),
        ("12:30", "30"),
        ("no number", None),
        ("B2B", None),
        ("", None),
        ("10 apples and 3 pears", "3"),
    ],
)
def test_the_last_number(text: str, number: str | None) -> None:
    assert matching.last_number(text) == (None if number is None else Decimal(number))


def test_numeric_takes_equal_numbers_however_written_and_others_to_within_a_tolerance() -> None:
    assert matching.numeric("it is 0.50", Decimal("0.5"))
    assert matching.numeric("3.0", Decimal(3))
    assert not matching.numeric("3.01", Decimal(3))
    assert matching.numeric("3.01", Decimal(3), 0.01)
    assert not matching.numeric("3.04", Decimal(3), 0.01)
    assert not matching.numeric("none", Decimal(0))


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("B", 1),
        ("b", 1),
        ("(B)", 1),
        ("B. Rome", 1),
        ("B) Rome", 1),
        ("**B**", 1),
        ("B: Rome", 1),
        ("The answer is B.", 1),
        ("Answer: C", 2),
        ("The correct answer is (A).", 0),
        ("Rome", 1),
        ("rome.", 1),
        ("A Roman city", None),
        ("A", 0),
        ("E", None),
        ("It is Rome", None),
        ("", None),
        ("Bern", None),
    ],
)
def test_choices_by_letter_or_text(text: str, picked: int | None) -> None:
    assert matching.choice(text, ["Oslo", "Rome", "Tokyo", "Madrid"]) == picked


def test_the_text_of_a_choice_comes_before_its_letter() -> None:
    assert matching.choice("B", ["C", "A", "B"]) == 2


def test_regex_sees_the_whole_answer() -> None:
    assert matching.regex(" 2024-02-29\n", r"^\d{4}-\d\d-\d\d$")
    assert not matching.regex("on 2024-02-29", r"^\d{4}-\d\d-\d\d$")


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": 1}', {"a": 1}), (" [1, 2]\n", [1, 2]), ('```json\n{"a": 1}\n```', {"a": 1}), ("```\n3\n```", 3)],
)
def test_json(text: str, value: Any) -> None:
    assert matching.json_of(text) == value


@pytest.mark.parametrize(
    "text", ["", "Here: {}", '{"a": 1} and so on', '{"a": 1, "a": 2}', "NaN", "{'a': 1}", "[" * 9000]
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        matching.json_of(text)
