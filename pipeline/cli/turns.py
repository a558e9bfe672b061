"""Every model has its turn: a fault of one keeps a command over several from none of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.cli.command import error_content, show
from pipeline.core.errors import AssayError, refusal

if TYPE_CHECKING:
    from pipeline.flow.session import Session
    from pipeline.lock.model import Lockfile


class Turns:
    """What went wrong with which of the models of a command. Where there is one model alone, its error is raised as ever.

    As a context it loses nothing of that when an error ends the command for all of them: the gravest is raised, and the
    others are shown.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.errors: list[tuple[str, AssayError]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Let it be the turn of a model: an expected error ends it, and is kept."""
        try:
            yield
        except (AssayError, OSError) as error:
            known = error if isinstance(error, AssayError) else refusal(error)
            if len(self.names) == 1 or known is None:
                raise
            self.errors.append((name, known))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, AssayError) or not self.errors:
            return
        first, *others = sorted((error, *(one for _, one in self.errors)), key=lambda one: -one.exit_code)
        self.errors = [("", one) for one in others if str(one) != str(first)]
        self.end()
        if first is not error:
            raise first from None

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
    turns = Turns(session.names(names))
    locks: list[Lockfile] = []
    for name in turns.names:
        with turns.of(name):
            locks.append(session.current(name))
    return locks, turns
