"""Progress as an injected object with a silent default: library code never knows a console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: int = 1) -> None:
        """Say that ``amount`` more units are done."""


class Progress(Protocol):
    """Where long work says how far it is."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        """Open a task of ``total`` units (bytes, items, cases); None where nobody knows."""

    def note(self, message: str) -> None:
        """Say one line for people."""


class _Silent:
    def advance(self, amount: int = 1) -> None:
        pass

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        yield self

    def note(self, message: str) -> None:
        pass


SILENT: Progress = _Silent()
