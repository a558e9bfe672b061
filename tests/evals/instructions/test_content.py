from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.evals.instructions.content import CONTENTS

GERMAN = "Der Hund und die Katze sind nicht im Haus."
ENGLISH = "The dog and the cat are not in the house."
CASES: list[tuple[dict[str, Any], str, bool | None]] = [
    ({"id": "keywords:existence", "keywords": ["red", "Blue"]}, "REDDER than blue", True),
    ({"id": "keywords:existence", "keywords": ["red", "blue"]}, "only red", False),
    ({"id": "keywords:frequency", "keyword": "go", "frequency": 2, "relation": "at least"}, "Go, go!", True),
    ({"id": "keywords:frequency", "keyword": "go", "frequency": 2, "relation": "less than"}, "Go, go!", False),
    ({"id": "keywords:forbidden_words", "forbidden_words": ["rain", "sun"]}, "training in sunshine", True),
    ({"id": "keywords:forbidden_words", "forbidden_words": ["rain", "sun"]}, "Rain.", False),
    (
        {"id": "keywords:letter_frequency", "letter": "a", "let_frequency": 3, "let_relation": "at least"},
        "A banana",
        True,
    ),
    (
        {"id": "keywords:letter_frequency", "letter": "a", "let_frequency": 4, "let_relation": "less than"},
        "A banana",
        False,
    ),
    ({"id": "language:response_language", "language": "de"}, GERMAN, True),
    ({"id": "language:response_language", "language": "en"}, GERMAN, False),
    ({"id": "language:response_language", "language": "de"}, "Hallo Welt", None),
    ({"id": "language:response_language", "language": "bg"}, "Това е къща и куче", None),
    ({"id": "language:response_language", "language": "fi"}, ENGLISH, False),
    (
        {"id": "change_case:capital_word_frequency", "capital_frequency": 2, "capital_relation": "at least"},
        "STOP that NOW",
        True,
    ),
    (
        {"id": "change_case:capital_word_frequency", "capital_frequency": 2, "capital_relation": "less than"},
        "STOP that NOW",
        False,
    ),
    ({"id": "change_case:english_capital"}, ENGLISH.upper(), True),
    ({"id": "change_case:english_capital"}, ENGLISH, False),
    ({"id": "change_case:english_capital"}, GERMAN.upper(), False),
    ({"id": "change_case:english_capital"}, "YES", None),
    ({"id": "change_case:english_lowercase"}, ENGLISH.lower(), True),
    ({"id": "change_case:english_lowercase"}, ENGLISH, False),
    ({"id": "punctuation:no_comma"}, "no stop. none", True),
    ({"id": "punctuation:no_comma"}, "one, two", False),
    ({"id": "detectable_content:number_placeholders", "num_placeholders": 2}, "Dear [name], at [place]", True),
    ({"id": "detectable_content:number_placeholders", "num_placeholders": 2}, "Dear [name], []", False),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.S."}, "Bye\np. s. one more thing", True),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.P.S"}, "Bye\nP.P.S: more", True),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.P.S"}, "Bye\nP.S. more", False),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.S."}, "Bye\nP.S.", False),
]


@pytest.mark.parametrize(("instruction", "text", "held"), CASES)
def test_contents(instruction: dict[str, Any], text: str, held: bool | None) -> None:
    assert TypeAdapter(CONTENTS).validate_python(instruction).holds(text) is held


@pytest.mark.parametrize(
    "instruction",
    [
        {"id": "keywords:none"},
        {"id": "keywords:existence", "keywords": []},
        {"id": "keywords:existence", "keywords": [""]},
        {"id": "keywords:frequency", "keyword": "a", "frequency": 1, "relation": "about"},
        {"id": "keywords:letter_frequency", "letter": "ab", "let_frequency": 1, "let_relation": "at least"},
        {"id": "language:response_language", "language": "german"},
        {"id": "punctuation:no_comma", "more": 1},
    ],
)
def test_what_is_no_instruction(instruction: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(CONTENTS).validate_python(instruction)
