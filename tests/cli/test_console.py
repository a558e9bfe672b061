from __future__ import annotations

import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.cli.console import Bars, Lines, Quiet, progress_for, table
from pipeline.core.project import Project

ROOT = Path(__file__).parents[2]
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
STEPS = ["lock --check", "fetch", "verify", "lint", "check greeting", "eval few", "bench", "gate", "report"]


def on_terminal(
    *arguments: str, folder: Path, term: str = "xterm-256color", interrupt_at: str = "\0"
) -> tuple[int, str, str]:
    """Run ``assay`` with stderr on a terminal of 30 lines and 100 columns; returns code, stdout, and what was drawn.
    It is interrupted as soon as ``interrupt_at`` is drawn."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": term},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = bytearray()
    try:
        while chunk := os.read(ours, 65536):
            drawn += chunk
            if interrupt_at.encode() in drawn:
                process.send_signal(signal.SIGINT)
                interrupt_at = "\0"
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.decode(), drawn.decode()


def screen(drawn: str) -> list[str]:
    """Return what stays on a terminal: of a picture that is drawn again and again, the last."""
    lines = [""]
    row = 0
    for text in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", drawn):
        if text == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif text == "\r":
            pass  # every piece that follows is a whole line
        elif text == "\x1b[2K":
            lines[row] = ""
        elif match := re.fullmatch(r"\x1b\[(\d*)A", text):
            row = max(0, row - int(match[1] or 1))
        elif not text.startswith("\x1b"):
            lines[row] += text
    return [line.rstrip() for line in lines if line.strip()]


def test_a_terminal_shows_a_table_that_stays_and_gets_its_cursor_back(project: Project) -> None:
    code, out, drawn = on_terminal("run", "small", folder=project.root)
    assert code == 0 and out.startswith("small: accepted in ")
    assert drawn.count(HIDE) == drawn.count(SHOW) == 1
    assert drawn.rindex(SHOW) > drawn.rindex("report")
    shown = screen(drawn)
    assert [line[:16].strip() for line in shown] == STEPS, "\n".join(shown)
    assert all(re.match(r".{14,18}ok ", line) for line in shown), "\n".join(shown)
    assert "━" not in "\n".join(shown)  # bars go when they are done


def test_a_failed_step_is_shown_and_the_error_stays_below(project: Project) -> None:
    (project.lockfiles / "small.lock.json").unlink()
    code, out, drawn = on_terminal("run", "small", folder=project.root)
    assert code == 3 and out.startswith("small: failed")
    assert drawn.count(HIDE) == drawn.count(SHOW) == 1
    shown = screen(drawn)
    assert shown[0].split(maxsplit=2)[:2] == ["lock", "--check"] and "exit 3" in shown[0]
    assert shown[-2].startswith("error: no lock for small") and shown[-1] == "  -> run assay lock small"


def test_an_interrupt_gives_the_cursor_back(project: Project) -> None:
    code, out, drawn = on_terminal("run", "small", folder=project.root, interrupt_at="check greeting")
    assert (code, out) == (130, "")
    assert drawn.count(HIDE) == drawn.count(SHOW) == 1
    assert screen(drawn)[-1].startswith("interrupted; what was finished is kept")


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_quiet_and_dumb_terminals_get_no_picture(assayed: Project, term: str) -> None:
    arguments = ("run", "small") if term == "dumb" else ("run", "small", "--quiet")
    code, _, drawn = on_terminal(*arguments, folder=assayed.root, term=term)
    assert code == 0
    assert "\x1b" not in drawn
    assert ("lint: ok" in drawn) == (term == "dumb")


def test_without_a_terminal_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(progress_for(True)) is Quiet
    progress = progress_for(False)
    assert type(progress) is Lines
    with progress.shown(), progress.task("hash", 3, "B") as task:
        task.advance(3)
        progress.step("lint", "…")
        progress.step("lint", "ok", "no findings")
        progress.note("a note")
    captured = capsys.readouterr()
    assert captured.err == "hash …\nlint: ok  no findings\na note\n" and captured.out == ""


def test_bars_nest_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars()
    with bars.task("outer", 2, "items") as outer:
        outer.advance()
        with bars.task("inner", 1 << 30, "B") as inner:
            inner.advance(1 << 20)
            bars.note("[not] markup")
        outer.advance()
    with bars.task("fetch [/no] markup\x1b[31m"):
        bars.step("lint", "ok", "seen \x1b[31m")
        Console(stderr=True).print(bars._picture())
    bars.note("after\x9b")
    err = capsys.readouterr().err
    assert "[not] markup" in err and "fetch [/no] markup\\u001b[31m" in err and err.endswith("after\\u009b\n")
    assert "\x1b[31m" not in err


def test_tables_are_aligned_and_end_without_blanks() -> None:
    assert table(["code", "what"], [["A101", "one"], ["A2", "another one"]]) == (
        "code  what\nA101  one\nA2    another one"
    )
