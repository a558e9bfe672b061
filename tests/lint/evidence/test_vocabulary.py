from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import skipped
from pipeline.lint.evidence import playback as played
from pipeline.lint.evidence.vocabulary import ANSWERED, SPLIT
from pipeline.lint.model import NotJudged
from pipeline.runtime import vocabulary
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import made, tokens
from tests.lint.subjects import sound


def test_the_sound_model(engine_build: EngineBuild) -> None:
    spoken = replace(sound(), engine=engine_build).spoken
    assert spoken.reading and zoo.token("<|im_end|>") in spoken.reading.ends
    assert set(spoken.prompts) == set(SPLIT) and spoken.prompts["user"].tokens[0] == zoo.token("<|im_start|>")


def test_what_follows_an_answer_is_read_by_itself(engine_build: EngineBuild) -> None:
    tails = replace(sound(), engine=engine_build).spoken.tails
    assert {name: tail.text.split("\n")[0] for name, tail in tails.items()} == dict.fromkeys(ANSWERED, "<|im_end|>")
    assert all(tail.tokens[0] == zoo.token("<|im_end|>") for tail in tails.values())


def test_a_vocabulary_that_is_refused(tmp_path: Path) -> None:
    spoken = made(tmp_path, "pre-unknown").spoken
    assert spoken.refusal and spoken.refusal.log and not spoken.prompts and not spoken.missing


def test_a_file_without_a_vocabulary() -> None:
    assert tokens().spoken.missing == "the file has no vocabulary"


def test_a_completion_model_is_read_without_prompts(tmp_path: Path) -> None:
    spoken = made(tmp_path, "no-template", profile="completion", checks=[]).spoken
    assert spoken.reading and spoken.prompts == {}


def test_without_the_bindings_its_rules_are_unknown_and_not_clean(
    monkeypatch: pytest.MonkeyPatch, engine_build: EngineBuild
) -> None:
    monkeypatch.setattr(vocabulary, "bound_library", lambda: None)
    subject = replace(sound(), engine=engine_build)
    assert "not installed" in subject.spoken.missing
    unasked = {code for code, reason in skipped(subject).items() if NotJudged(code, reason).unasked}
    assert unasked >= {"A601", "A602", "A603", "A604"}
    assert played.play(subject).missing == subject.spoken.missing
