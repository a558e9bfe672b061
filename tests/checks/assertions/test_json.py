from __future__ import annotations

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.json import judge
from pipeline.checks.model import Verdict
from pipeline.runtime.answer import Answer

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "state": {"enum": ["on", "off"]}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"city": "Bergen", "state": "on"}', None),
        ('{"city": 5}', "city: 5 is not of type 'string'"),
        ("{}", "'city' is a required property"),
        ('{"city": "Bergen", "land": "Norway"}', "Additional properties are not allowed"),
        ('{"city": "Bergen", "state": "dim"}', "state: 'dim' is not one of"),
        ("Bergen", "the content is not JSON"),
        ('```json\n{"city": "Bergen"}\n```', "the content is not JSON"),
        ("[" * 5000, "the content is not JSON"),
        ('{"city": NaN}', "the content is not JSON"),
    ],
)
def test_content_is_held_against_the_schema(content: str, words: str | None) -> None:
    fault = judge(Seen({}, Answer(content)), SCHEMA)
    if words is None:
        assert fault is None
    else:
        assert fault is not None and (fault.grade, fault.verdict) == ("bad_json", Verdict.FAIL)
        assert fault.words.startswith(words)


def test_what_the_engine_had_to_enforce_is_not_blamed_on_the_model() -> None:
    asked = {"response_format": {"type": "json_object"}}
    fault = judge(Seen(asked, Answer("Bergen")), {})
    assert fault is not None and (fault.grade, fault.verdict) == ("engine_limit", Verdict.UNKNOWN)
    cut = judge(Seen(asked, Answer('{"city": "B', finish_reason="length", tokens=9)), {})
    assert cut is not None and (cut.grade, cut.verdict) == ("runaway", Verdict.FAIL)


def test_json_in_the_reasoning_is_at_the_wrong_place() -> None:
    fault = judge(Seen({}, Answer("", '{"city": "Bergen"}')), SCHEMA)
    assert fault is not None and fault.grade == "in_reasoning"
