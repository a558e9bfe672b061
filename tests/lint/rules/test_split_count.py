from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import gguf
import pytest

from pipeline.lint.engine import lint, skipped
from pipeline.lint.model import Severity, Stage
from pipeline.lint.subject import subject_of
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound

UINT16, INT32 = gguf.GGUFValueType.UINT16, gguf.GGUFValueType.INT32


def split(number: int, count: int, tensors: int) -> zoo.Make:
    return zoo.changed(
        split__no=zoo.Typed(number, UINT16),
        split__count=zoo.Typed(count, UINT16),
        split__tensors__count=zoo.Typed(tensors, INT32),
    )


def test_good(tmp_path: Path) -> None:
    assert findings("A307", sound()) == []
    for whole in (split(0, 1, 38), split(1, 2, 60)):
        assert findings("A307", made(tmp_path, whole)) == []


@pytest.fixture
def parts(engine_build: EngineBuild, tmp_path: Path) -> list[Path]:
    """The sound model in three files, cut by llama.cpp's own tool."""
    command = [str(engine_build.tool("llama-gguf-split")), "--split-max-tensors", "14"]
    command += [str(zoo.SOUND), str(tmp_path / "small")]
    subprocess.run(command, check=True, capture_output=True, env=dict(engine_build.environment))
    return sorted(tmp_path.glob("small-*"))


def test_a_whole_set_is_judged_as_one_model(parts: list[Path]) -> None:
    subject = subject_of(parts[0], spec=zoo.spec())
    assert len(parts) == 3
    assert {tensor.name for tensor in subject.tensors} == {tensor.name for tensor in sound().tensors}
    assert lint(subject, upto=Stage.HEADER) == ()
    assert not {"A212", "A303", "A305"} & skipped(subject, upto=Stage.HEADER).keys()


def test_a_set_without_one_of_its_files(parts: list[Path]) -> None:
    parts[1].unlink()
    found = one("A307", subject_of(parts[0], spec=zoo.spec()), Severity.ERROR)
    assert "1 of the 3 files" in found.message
    assert parts[1].name in found.evidence


def test_a_set_under_another_name(parts: list[Path]) -> None:
    """llama.cpp looks for the others by the first one's name."""
    renamed = parts[0].rename(parts[0].with_name("model.gguf"))
    assert "model-00002-of-00003.gguf" in one("A307", subject_of(renamed, spec=zoo.spec()), Severity.ERROR).evidence


def test_a_set_that_lacks_tensors(parts: list[Path]) -> None:
    subject = subject_of(parts[0], spec=zoo.spec())
    short = replace(subject, more=(subject.more[0], replace(subject.more[1], tensors=())))
    assert "the set has 28" in one("A307", short, Severity.ERROR).message


def test_bad(tmp_path: Path) -> None:
    assert "split.count is None" in one("A307", made(tmp_path, "split-without-a-count"), Severity.ERROR).evidence
    one("A307", made(tmp_path, split(0, 0, 38)), Severity.ERROR)


def test_numbers_that_can_not_be(tmp_path: Path) -> None:
    assert "number 2, counted from 0, of 2" in one("A307", made(tmp_path, split(2, 2, 60)), Severity.ERROR).message
    assert "60 tensors, and it holds 38" in one("A307", made(tmp_path, split(0, 1, 60)), Severity.ERROR).message
