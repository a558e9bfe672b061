from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.deploy.live import drift_of_files, drift_of_process
from pipeline.deploy.log import Event, mark
from tests.projects import flip


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return Path(shutil.copy("/bin/sleep", tmp_path / "engine"))


@pytest.fixture
def event(program: Path) -> Event:
    """A deployment of a program that sleeps."""
    weights = program.with_name("weights")
    weights.write_bytes(b"weights" * 100)
    proof = tuple(mark(path, Digest.of_file(path)) for path in (program, weights))
    return Event("small", "deploy", "local", "lock", argv=(str(program), "60"), env_keys=("HOME",), proof=proof)


@pytest.fixture
def pid(event: Event) -> Iterator[int]:
    child = subprocess.Popen(event.argv, env={"HOME": "/nonexistent"})
    yield child.pid
    child.kill()
    child.wait()


def test_what_was_deployed_has_no_drift(event: Event, pid: int) -> None:
    assert drift_of_files(event, deep=True) == [] and drift_of_process(event, pid) == []


def test_files_that_were_tampered_with_are_told(event: Event) -> None:
    weights = Path(event.proof[1]["path"])
    flip(weights)
    (said,) = drift_of_files(event, deep=False)
    assert "other bytes than were deployed" in said and event.proof[1]["sha256"] in said
    weights.unlink()
    (said,) = drift_of_files(event, deep=False)
    assert "No such file" in said


def test_another_file_with_the_same_bytes_is_told(event: Event) -> None:
    weights = Path(event.proof[1]["path"])
    os.replace(shutil.copy(weights, weights.with_name("copy")), weights)
    (said,) = drift_of_files(event, deep=False)
    assert "replaced by another file with the same bytes" in said


def test_times_alone_are_no_drift(event: Event) -> None:
    os.utime(event.proof[1]["path"])
    assert drift_of_files(event, deep=False) == []


def test_only_deep_sees_what_looks_the_same(event: Event) -> None:
    weights = Path(event.proof[1]["path"])
    flip(weights)
    forged = (event.proof[0], {**mark(weights, Digest.of(b"")), "sha256": event.proof[1]["sha256"]})
    assert drift_of_files(replace(event, proof=forged), deep=False) == []
    assert drift_of_files(replace(event, proof=forged), deep=True)


def test_another_program_under_the_name_is_told(event: Event, pid: int, program: Path) -> None:
    os.replace(shutil.copy("/bin/cat", program.with_name("other")), program)
    said = " ".join(drift_of_process(event, pid))
    assert "(deleted)" in said
    other = replace(event, argv=("/bin/cat", "60"), proof=())
    assert "the process runs" in drift_of_process(other, pid)[0]


def test_another_command_line_or_environment_is_told(event: Event, pid: int) -> None:
    assert drift_of_process(replace(event, argv=(*event.argv[:1], "61")), pid) == [
        "the process has another command line: '60' instead of '61'"
    ]
    (said,) = drift_of_process(replace(event, argv=(*event.argv, "--temp", "1")), pid)
    assert said == "the process has another command line"
    assert drift_of_process(replace(event, env_keys=()), pid) == ["the process has another environment: HOME"]


def test_where_it_listens_is_its_own(event: Event, pid: int) -> None:
    listens = (*event.argv, "--host", "127.0.0.1", "--port", "8080", "--api-key-file", "/key")
    assert drift_of_process(replace(event, argv=listens), pid) == []


def test_a_process_that_is_gone_is_told(event: Event) -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert drift_of_process(event, child.pid) == [f"the engine's process {child.pid} is gone"]
