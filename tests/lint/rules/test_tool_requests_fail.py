from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.evidence.hollow import Reply
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_schemas_that_the_template_fails_on(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A619", asked(tmp_path, "fails-on-lists-of-types", engine_build), Severity.WARNING)
    assert "rich schemas" in found.message and "unhashable type" in found.message


def test_a_call_that_can_not_begin(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    refused = Reply(error="Failed to initialize samplers: failed to parse grammar", status=400)
    subject.__dict__["served"] = replace(
        subject.served, generations={**subject.served.generations, "call": refused, "rich-schema": refused}
    )
    (found,) = findings("A619", subject)
    assert found.severity is Severity.ERROR and "a request that demands a tool call" in found.message


def test_an_answer_of_another_form_is_no_refusal(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    other = Reply(error="The model produced output that does not match the expected peg-native format", status=500)
    subject.__dict__["served"] = replace(subject.served, generations=dict.fromkeys(subject.served.generations, other))
    assert findings("A619", subject) == []


def test_what_fails_before_is_said_once(tmp_path: Path, engine_build: EngineBuild) -> None:
    assert rules()["A619"].skip(asked(tmp_path, "lists-an-object", engine_build)) == "A613 says what is wrong"


def test_a_sound_model_begins_its_calls(engine_build: EngineBuild) -> None:
    assert findings("A619", replace(sound(), engine=engine_build)) == []
