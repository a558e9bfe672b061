from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.evals.instructions.length import LENGTHS

CASES: list[tuple[dict[str, Any], str, bool]] = [
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "at least"}, "one two three", True),
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "at least"}, "one - two!", False),
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "less than"}, "one two", True),
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "less than"}, "one two three", False),
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "exactly"}, "It's well-made, no?", True),
    (
        {"id": "length_constraints:number_sentences", "num_sentences": 2, "relation": "exactly"},
        "Dr. Smith paid 3.50. Then he left!",
        True,
    ),
    (
        {"id": "length_constraints:number_sentences", "num_sentences": 3, "relation": "at least"},
        "One. Two.",
        False,
    ),
    (
        {"id": "length_constraints:number_sentences", "num_sentences": 3, "relation": "exactly"},
        "- first point\n- second point\n\nThe end",
        True,
    ),
    (
        {"id": "length_constraints:number_sentences", "num_sentences": 2, "relation": "exactly"},
        'He said "No." Then he\nleft, e.g. for home.',
        True,
    ),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "One\n***\nTwo", True),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "One\n***\nTwo\n***\n", True),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "One\n***\n***\nTwo", False),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "One\n\nTwo", False),
    ({"id": "length_constraints:blank_line_paragraphs", "num_paragraphs": 2}, "One\nstill\n \nTwo", True),
    ({"id": "length_constraints:blank_line_paragraphs", "num_paragraphs": 3}, "One\n\nTwo", False),
    (
        {
            "id": "length_constraints:nth_paragraph_first_word",
            "num_paragraphs": 2,
            "nth_paragraph": 2,
            "first_word": "weather",
        },
        "One\n\n**Weather** is fine",
        True,
    ),
    (
        {
            "id": "length_constraints:nth_paragraph_first_word",
            "num_paragraphs": 2,
            "nth_paragraph": 2,
            "first_word": "weather",
        },
        "Weather\n\nOne",
        False,
    ),
    (
        {
            "id": "length_constraints:nth_paragraph_first_word",
            "num_paragraphs": 3,
            "nth_paragraph": 2,
            "first_word": "weather",
        },
        "One\n\nWeather",
        False,
    ),
    ({"id": "length_constraints:number_lines", "num_lines": 2}, "a\n\nb\n", True),
    ({"id": "length_constraints:number_lines", "num_lines": 3}, "a\n\nb\n", False),
    ({"id": "length_constraints:number_characters", "num_characters": 5, "relation": "less than"}, " four\n", True),
    ({"id": "length_constraints:number_characters", "num_characters": 4, "relation": "less than"}, "four", False),
]


@pytest.mark.parametrize(("instruction", "text", "held"), CASES)
def test_lengths(instruction: dict[str, Any], text: str, held: bool) -> None:
    assert TypeAdapter(LENGTHS).validate_python(instruction).holds(text) is held
