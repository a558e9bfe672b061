"""A progress that remembers what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.core.progress import Task


class Heard:
    """``tasks`` by label: how much there was to do, and how much was done; ``notes`` as they came."""

    def __init__(self) -> None:
        self.tasks: dict[str, tuple[int | None, int]] = {}
        self.notes: list[str] = []

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Remember a task."""
        self.tasks[label] = (total, 0)
        yield _Heard(self, label)

    def note(self, message: str) -> None:
        """Remember a note."""
        self.notes.append(message)


class _Heard:
    def __init__(self, heard: Heard, label: str) -> None:
        self._heard, self._label = heard, label

    def advance(self, amount: int = 1) -> None:
        total, done = self._heard.tasks[self._label]
        self._heard.tasks[self._label] = (total, done + amount)
