from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.evidence.vocabulary import Spoken
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.vocabulary import Refusal
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_a_refusal_is_told_in_the_engines_words(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A601", asked(tmp_path, "suppressed-tokens-are-text", engine_build), Severity.ERROR)
    assert "invalid gguf type for tokenizer.ggml.suppress_tokens" in found.evidence


@pytest.mark.parametrize("name", ["pre-unknown", "token-twice", "types-too-few", "merges-missing"])
def test_what_the_header_shows_is_not_said_twice(name: str, tmp_path: Path, engine_build: EngineBuild) -> None:
    reason = rules()["A601"].skip(asked(tmp_path, name, engine_build))
    assert reason.endswith("says what is wrong") and reason.startswith("A2")


def test_an_abort_is_told_with_its_cause(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    log = ("load: printing", "vocab.cpp:9: GGML_ASSERT(a == b) failed", "[New LWP 1]")
    subject.__dict__["spoken"] = Spoken(refusal=Refusal("killed by SIGABRT", log))
    (found,) = findings("A601", subject)
    assert found.message == "llama.cpp ends as it loads the vocabulary (killed by SIGABRT)"
    assert found.evidence == "vocab.cpp:9: GGML_ASSERT(a == b) failed"


def test_a_sound_vocabulary_is_taken(engine_build: EngineBuild) -> None:
    assert findings("A601", replace(sound(), engine=engine_build)) == []
