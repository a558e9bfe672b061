"""What people see: progress bars, notes and tables, on stderr. The only module that knows rich, and only when there is
a terminal.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.core.progress import Task
from pipeline.report.text import visible

_BYTES = ("B", "bytes")


def is_terminal() -> bool:
    """Tell whether stderr is a terminal that can show more than lines."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def progress_for(quiet: bool) -> Bars | Lines:
    """Return the progress that fits: bars on a terminal, lines elsewhere, nothing when quiet."""
    if quiet:
        return Quiet()
    return Bars() if is_terminal() else Lines()


class Lines:
    """Progress for logs: a line when a task begins, notes as they come."""

    def advance(self, amount: int = 1) -> None:
        pass

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.note(f"{label} …")
        yield self

    @contextmanager
    def shown(self, *, keep: bool = False) -> Iterator[None]:
        yield

    def step(self, name: str, state: str, detail: str = "") -> None:
        if state and state != "…":
            self.note(f"{name}: {state}{'  ' + detail if detail else ''}")

    def note(self, message: str) -> None:
        print(visible(message), file=sys.stderr, flush=True)


class Quiet(Lines):
    """No progress at all."""

    def note(self, message: str) -> None:
        pass


class Bars:
    """Progress for people: bars with rate and time left, removed when done, below a table of steps where there
    is one.
    """

    def __init__(self) -> None:
        self._live: Any = None
        self._bars: Any = None
        self._open = 0
        self._lock = threading.RLock()  # files are fetched and specs locked in several threads
        self._steps: dict[str, tuple[str, str]] = {}

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        with self.shown():
            number = self._bars.add_task(visible(label), total=total, amount=_amount(unit))
            try:
                yield _Bar(self._bars, number)
            finally:
                self._bars.remove_task(number)

    def note(self, message: str) -> None:
        message = visible(message)
        if self._live is not None:
            self._live.console.print(message, markup=False, highlight=False)
        else:
            print(message, file=sys.stderr, flush=True)

    def step(self, name: str, state: str, detail: str = "") -> None:
        """Show a step's state in the table: ``…`` while it runs, then how it ended."""
        self._steps[name] = (state, visible(detail))
        if self._live is not None:
            self._live.transient = False
            self._live.update(self._picture(), refresh=True)

    @contextmanager
    def shown(self, *, keep: bool = False) -> Iterator[None]:
        """Keep the picture on the screen; when it ends it goes, or with ``keep`` the table stays."""
        with self._lock:
            self._open += 1
            if self._live is None:
                self._start(transient=not keep)
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1
                if not self._open:
                    self._live.stop()
                    self._live = None

    def _start(self, *, transient: bool) -> None:
        from rich import progress
        from rich.console import Console
        from rich.live import Live

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            _AmountColumn(),
            progress.TimeRemainingColumn(compact=True),
        )
        console = Console(stderr=True)
        self._bars = progress.Progress(*columns, console=console)
        self._live = Live(self._picture(), console=console, transient=transient, refresh_per_second=8)
        self._live.start()

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        steps = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for name, (state, detail) in self._steps.items():
            style = {"ok": "green", "…": "cyan"}.get(state, "red" if state else "dim")
            steps.add_row(Text(name), Text(state or "·", style=style), Text(detail, style="dim"))
        return Group(steps, self._bars) if self._steps else self._bars


def _amount(unit: str) -> str:
    return "bytes" if unit in _BYTES else "count"


def _AmountColumn() -> Any:  # a column class that can only be made once rich is there
    from rich import progress

    class Amount(progress.ProgressColumn):
        """Bytes with their rate, or a plain count."""

        _bytes, _rate, _count = progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.MofNCompleteColumn()

        def render(self, task: progress.Task) -> Any:
            if task.fields.get("amount") == "bytes":
                return self._bytes.render(task) + " " + self._rate.render(task)
            return self._count.render(task)

    return Amount()


class _Bar:
    def __init__(self, bars: Any, number: Any) -> None:
        self._bars, self._number = bars, number

    def advance(self, amount: int = 1) -> None:
        self._bars.advance(self._number, amount)


def table(headers: list[str], rows: list[list[str]], right: Collection[int] = ()) -> str:
    """Return a plain table for stdout: columns aligned (those numbered in ``right`` to the right), no colours, the same in a pipe."""
    columns = []
    for number, column in enumerate(zip(headers, *rows, strict=True)):
        width, align = max(map(len, column)), str.rjust if number in right else str.ljust
        columns.append([align(cell, width) for cell in column])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
