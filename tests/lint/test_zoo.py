"""Every defect of the zoo is caught by the rule meant for it; the sound model raises nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gguf.header import GgufError
from pipeline.lint.engine import lint, rules, skipped
from pipeline.lint.model import Stage
from pipeline.lint.subject import subject_of
from pipeline.runtime.build import EngineBuild
from tests import zoo


@pytest.mark.parametrize("name", zoo.DEFECTS)
def test_defect_is_caught(name: str, tmp_path: Path, engine_build: EngineBuild) -> None:
    defect = zoo.DEFECTS[name]
    path = tmp_path / f"{name}.gguf"
    defect.make(path)
    stage = rules()[defect.rule].stage
    asked = None if stage is Stage.HEADER else engine_build
    findings = lint(subject_of(path, spec=zoo.spec(**defect.spec), engine=asked), upto=stage)
    assert [finding.code for finding in findings] == [defect.rule] * len(findings) != [], findings
    assert all(finding.message and finding.evidence and finding.fix and finding.where for finding in findings)


@pytest.mark.parametrize("name", zoo.MALFORMED)
def test_malformed_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.gguf"
    zoo.MALFORMED[name](path)
    with pytest.raises(GgufError) as caught:
        subject_of(path)
    assert caught.value.hint


def test_sound_model_raises_nothing(engine_build: EngineBuild) -> None:
    subject = subject_of(zoo.SOUND, spec=zoo.spec(), engine=engine_build)
    assert lint(subject) == ()
    assert set(skipped(subject)) <= {"A622"}  # which needs a lock


def test_sound_model_raises_nothing_without_a_spec() -> None:
    assert lint(subject_of(zoo.SOUND)) == ()


def test_sound_model_rewritten_raises_nothing(tmp_path: Path) -> None:
    zoo.rewrite(tmp_path / "same.gguf", {})
    assert lint(subject_of(tmp_path / "same.gguf", spec=zoo.spec())) == ()


def test_every_rule_has_a_defect() -> None:
    without = {"A622"}  # a file alone can't have this fault: it is in what was locked before
    assert {defect.rule for defect in zoo.DEFECTS.values()} == set(rules()) - without
