"""Every model has its turn: a fault of one keeps a command over several from none of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.cli.command import error_content, show
from pipeline.core.errors import AssayError

if TYPE_CHECKING:
    from pipeline.flow.session import Session
    from pipeline.lock.model import Lockfile


class Turns:
    """What went wrong with which of the models of a command. Where there is one model alone, its error is raised as ever."""

    def __init__(self, names: Sequence[str]) -> None:
        self._alone = len(names) == 1
        self.errors: list[tuple[str, AssayError]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Let it be the turn of a model: an expected error ends it, and is kept."""
        try:
            yield
        except AssayError as error:
            if self._alone:
                raise
            self.errors.append((name, error))

    def content(self) -> list[dict[str, Any]]:
        """Return what went wrong as JSON."""
        return [{"name": name, **error_content(error)} for name, error in self.errors]

    def end(self, code: int = 0) -> int:
        """Show what went wrong, once where it is the same for several; returns the gravest exit code, ``code`` among them."""
        for error in {(error.message, error.hint): error for _, error in self.errors}.values():
            show(error)
        return max([code, *(error.exit_code for _, error in self.errors)])


def current(session: Session, names: tuple[str, ...]) -> tuple[list[Lockfile], Turns]:
    """Return the locks of the models that are named, or of all; of several, those that are as their specs say."""
    chosen = session.names(names)
    turns = Turns(chosen)
    locks: list[Lockfile] = []
    for name in chosen:
        with turns.of(name):
            locks.append(session.current(name))
    return locks, turns
