from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import __version__
from pipeline.cli.main import COMMANDS, run
from pipeline.core.project import Project
from pipeline.record.read import query
from tests.projects import alive, assay, command_of, descendants, edit, finish, start, stop, until

ROOT = Path(__file__).parents[2]


def test_help_lists_the_commands_in_the_order_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    listed = [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()]
    assert [name for name in listed if name in COMMANDS] == COMMANDS
    assert "Exit codes: 0 ok" in out and "130 interrupted" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"assay, version {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"), [("inspekt", "inspect"), ("verfy", "verify"), ("bnech", "bench"), ("xyzzy", None)]
)
def test_an_unknown_command_is_exit_2_with_the_nearest(
    capsys: pytest.CaptureFixture[str], typed: str, meant: str | None
) -> None:
    assert run([typed]) == 2
    err = capsys.readouterr().err
    assert f"No such command '{typed}'." in err
    assert (f"Did you mean '{meant}'?" in err) == (meant is not None)


def test_a_bug_is_exit_70_and_a_log_without_secrets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ["hunter2", "hf_abcdefghijklmnopqrst", "assay-0123456789abcdefgh", "deadbeef01", "s3cr3tbearer"]

    def broken() -> None:
        raise ZeroDivisionError(
            f"https://me:{secrets[0]}@host/x?a=1&sig={secrets[3]} {secrets[1]} key {secrets[2]} Bearer {secrets[4]}"
        )

    monkeypatch.setattr("pipeline.lint.engine.rules", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(["explain", "--project", f"https://me:{secrets[0]}@host"]) == 70
    err = capsys.readouterr().err
    (log,) = tmp_path.glob("assay-bug-*.log")
    assert "bug in assay: ZeroDivisionError" in err and str(log) in err and "Traceback" not in err
    text = log.read_text()
    assert "Traceback (most recent call last)" in text and "in broken" in text and f"assay {__version__}" in text
    assert "assay explain --project" in text and "https://…@host" in text
    assert not [secret for secret in secrets if secret in text + err]
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("command", ["lint --nope --json", "history name --json", "explain --json A1 A2 A3"])
def test_a_command_line_that_can_not_be_read_is_json_too(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.split()) == 2
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["schema"] == "assay.error/1" and told["exit_code"] == 2 and told["message"] in err


@pytest.mark.parametrize("command", ["explain", "--help", "gate -h", "explain --json", "schema"])
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    line = f"{sys.executable} -m pipeline.cli.main {command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("0\n", "")


@contextmanager
def nobody() -> Iterator[int]:
    """The end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("catalog", 1),
        ("gate small --json", 1),
        ("gate small nosuch", 2),
        ("gate nosuch", 2),
        ("gate --nope", 2),
        ("run nosuch other --quiet", 2),
    ],
)
def test_what_it_came_to_is_the_exit_code_also_where_nobody_reads(project: Project, command: str, code: int) -> None:
    argv = [sys.executable, "-m", "pipeline.cli.main", *command.split()]
    how: dict[str, Any] = {"cwd": project.root, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "timeout": 60}
    with nobody() as end:
        assert subprocess.run(argv, stdout=end, stderr=end, **how).returncode == code
        told = subprocess.run(argv, stdout=subprocess.PIPE, stderr=end, **how)
        assert told.returncode == code and bool(told.stdout) == (command not in ("gate nosuch", "gate --nope"))


def test_work_of_which_nobody_hears_ends_and_is_no_success(project: Project) -> None:
    process = start("check", "small", project=project)
    try:
        assert process.stderr and process.stdout and process.stderr.readline()
        process.stderr.close()
        assert (process.stdout.read(), process.wait(60)) == ("", 130)
        process.stdout.close()
    finally:
        if process.poll() is None:
            process.kill()


def test_what_serves_ends_where_nobody_reads_what_it_serves(project: Project) -> None:
    process = start("serve", "small", "--port", "0", project=project)
    try:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert "Traceback" not in process.stderr.read() and process.wait(60) == 130
        process.stderr.close()
    finally:
        if process.poll() is None:
            process.kill()


def on_record(project: Project) -> int:
    """How many runs have been recorded."""
    return len(query(project.database, "SELECT id FROM runs")) if project.database.exists() else 0


@pytest.mark.parametrize(
    ("number", "busy"),
    [(signal.SIGINT, "llama-server"), (signal.SIGTERM, "pipeline.fleet.worker"), (signal.SIGHUP, "")],
)
def test_an_interrupted_run_leaves_nothing_behind_and_goes_on_later(
    project: Project, number: signal.Signals, busy: str
) -> None:
    children: set[int] = set()

    def working() -> bool:
        found = descendants(process.pid)
        children.update(found)
        return any(busy in command_of(pid) for pid in found) and (on_record(project) > 0 or process.poll() is not None)

    process = start("run", "small", project=project)
    try:
        until(working)
        children |= descendants(process.pid)
        process.send_signal(number)
        code, out, err = finish(process)
    finally:
        stop(process)
    assert (code, out) == (130, ""), err
    assert "interrupted; what was finished is kept" in err and "Traceback" not in err
    until(lambda: not any(map(alive, children)), 5)

    code, out, err = assay("run", "small", project=project)
    assert code == 0, err
    reused = int(out.split(" s, ")[1].split()[0])
    assert reused >= (2 if "worker" in busy else 1), out  # at least what had been done before the signal


def test_an_interrupted_lock_is_the_old_one_or_the_new(project: Project) -> None:
    path, spec = project.lockfiles / "small.lock.json", project.specs / "small.yaml"
    before = path.read_bytes()
    edit(spec, "slots: 2", "slots: 3")
    assert assay("lock", project=project)[0] == 0
    after = path.read_bytes()
    assert before != after
    for delay in (0.2, 0.3, 0.4, 0.5):
        path.write_bytes(before)
        process = start("lock", project=project)
        try:
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            stop(process)
        assert path.read_bytes() in (before, after)
        assert [found.name for found in project.lockfiles.iterdir()] == [path.name]
