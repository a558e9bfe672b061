from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.evidence import hollow
from pipeline.lint.evidence.hollow import Served
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_the_server_finds_no_parser_for_it(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A611", asked(tmp_path, "calls-are-no-json", engine_build), Severity.ERROR)
    assert "does not start (exit code 1)" in found.message and "syntax error while parsing object key" in found.message


@pytest.mark.parametrize(
    ("name", "code"), [("template-syntax-error", "A102"), ("template-divides-whole", "A123"), ("token-twice", "A209")]
)
def test_what_the_header_shows_is_not_said_twice(
    name: str, code: str, tmp_path: Path, engine_build: EngineBuild
) -> None:
    assert rules()["A611"].skip(asked(tmp_path, name, engine_build)) == f"{code} says what is wrong"


def test_a_vocabulary_that_is_refused_is_said_once(tmp_path: Path, engine_build: EngineBuild) -> None:
    reason = rules()["A611"].skip(asked(tmp_path, "suppressed-tokens-are-text", engine_build))
    assert reason == "A601 says what is wrong"


def test_a_server_that_is_never_ready(engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hollow, "READY_WITHIN", 0.0)
    (found,) = findings("A611", replace(sound(), engine=engine_build))
    assert found.message == "llama-server is not ready in time: llama-server was not ready after 0 s"


def test_the_most_telling_line_is_shown(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    log = (
        "srv  init: chat template parsing error: std::exception",
        "common_chat_templates_init: error: no such filter",
    )
    subject.__dict__["served"] = Served(refusal=log, ending="exit code 1")
    (found,) = findings("A611", subject)
    assert "no such filter" in found.message and "std::exception" not in found.message


def test_a_sound_model_starts(engine_build: EngineBuild) -> None:
    assert findings("A611", replace(sound(), engine=engine_build)) == []
