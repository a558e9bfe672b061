from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.flow.prompting import prompts_of
from pipeline.gguf.header import read_header
from pipeline.lint.model import Severity
from pipeline.lint.rules.prompts_moved import RULE
from pipeline.lint.subject import Subject, subject_of
from pipeline.lock.model import LockedPrompts
from pipeline.runtime.build import EngineBuild
from tests import factories, zoo

OTHER = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def locked(engine_build: EngineBuild) -> LockedPrompts:
    """What a lock of the sound model pins."""
    found = prompts_of(factories.lock(), None, [read_header(zoo.SOUND)], engine_build)
    assert found
    return found


def judged(engine: EngineBuild, prompts: LockedPrompts | None, weights: Path = zoo.SOUND) -> Subject:
    """A model with a lock of its own that pins ``prompts``."""
    lock = factories.lock().model_copy(update={"prompts": prompts})
    return replace(subject_of(weights, spec=zoo.spec(), engine=engine), lock=lock)


def test_the_same_engine_makes_the_prompts_of_the_lock(engine_build: EngineBuild, locked: LockedPrompts) -> None:
    subject = judged(engine_build, locked)
    assert RULE.skip(subject) == ""
    assert list(RULE.check(subject)) == []
    assert {"user", "turns", "system", "called", "parallel"} <= locked.digests.keys()


def test_both_texts_are_shown_where_the_old_one_is_known(
    engine_build: EngineBuild, locked: LockedPrompts, tmp_path: Path
) -> None:
    # The locked prompts are those of the sound template; the file's ends its turns otherwise in this engine's hands.
    zoo.edited("<|im_end|>\\n", "<|im_end|>")(tmp_path / "other.gguf")
    subject = judged(engine_build, locked, tmp_path / "other.gguf")
    (found,) = RULE.check(subject)
    assert found.severity is Severity.ERROR
    assert "and of" in found.message
    assert "the lock keeps only a digest; it is now" in found.evidence
    same = judged(engine_build, locked.model_copy(update={"digests": {**locked.digests, "user": OTHER}}))
    (found,) = RULE.check(same)
    assert found.where == "lock:prompts.digests.user"
    assert found.message == "the engine's prompt of the conversation 'user' is not the one that the lock pins"


def test_what_was_locked_is_told_where_jinja2_gives_it(engine_build: EngineBuild, locked: LockedPrompts) -> None:
    subject = judged(engine_build, locked)
    served = subject.served
    other = replace(served.replies["user"], text=(served.text("user") or "") + "patched")
    subject.__dict__["served"] = replace(served, replies={**served.replies, "user": other})
    (found,) = RULE.check(subject)
    assert "it was '" in found.evidence and "patched" in found.evidence
    gone = replace(other, text=None, error="no", status=500)
    subject.__dict__["served"] = replace(served, replies={**served.replies, "user": gone})
    (found,) = RULE.check(subject)
    assert found.evidence == "it was a prompt, and is refused now: no"


def test_a_lock_without_prompts_is_told(engine_build: EngineBuild) -> None:
    (found,) = RULE.check(judged(engine_build, None))
    assert (found.code, found.severity) == ("A622", Severity.INFO)


def test_what_can_not_be_compared_is_not_judged(
    engine_build: EngineBuild, locked: LockedPrompts, tmp_path: Path
) -> None:
    others = locked.model_copy(update={"conversations": OTHER})
    assert "other conversations" in RULE.skip(judged(engine_build, others))
    assert "no lock" in RULE.skip(subject_of(zoo.SOUND, spec=zoo.spec(), engine=engine_build))
    silent = judged(engine_build, locked)
    few = {name: silent.served.replies[name] for name in ("user", "turns")}
    silent.__dict__["served"] = replace(silent.served, replies=few, lost="killed by SIGKILL")
    assert "gave no answer to answer-parts" in RULE.skip(silent)
    zoo.led("{{- strftime_now('%Y') -}}")(tmp_path / "clock.gguf")
    assert "clock" in RULE.skip(judged(engine_build, locked, tmp_path / "clock.gguf"))
    clock = "{{- strftime_now('%Y') -}}" + str(zoo.value(zoo.TEMPLATE))
    zoo.changed(tokenizer__chat_template__tool_use=clock)(tmp_path / "tools.gguf")
    assert "clock" in RULE.skip(judged(engine_build, locked, tmp_path / "tools.gguf"))
