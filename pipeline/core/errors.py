"""Every error a user can meet: what happened, what to do, and its own exit code.

Library code raises these; only ``cli.main`` catches them. A message names the thing at fault (file, blob, rule); ``hint`` says what
to do next, as a sentence or a command.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OK = 0
FINDINGS = 1
BUG = 70
INTERRUPTED = 130


class AssayError(Exception):
    """Base of all expected errors. ``exit_code`` is the process's exit code; ``hint`` what the user can do."""

    exit_code = BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AssayError):
    """The command line or the project is not as it must be."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One fault in a file that the user wrote. ``line`` and ``column`` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class SpecError(AssayError):
    """A spec or suite has faults; all of them are listed at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LockOutOfDate(AssayError):
    """The spec asks for something else than the lock holds, or there is no lock."""

    exit_code = 3


class NetworkError(AssayError):
    """A source could not be reached, or refused us. ``transient``: trying again may help, after ``wait`` seconds where the server
    says so.
    """

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", transient: bool = False, wait: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.wait = wait


class Gone(NetworkError):
    """The origin has it no more."""


class Gated(NetworkError):
    """The origin gives it only to who logs in, or to others than us."""


class NotThere(Gone, UsageError):
    """The origin answers, and what it holds is not what was named: no such file, or several that may be meant."""

    exit_code = UsageError.exit_code


class DigestMismatch(AssayError):
    """Bytes are not those that the lock names."""

    exit_code = 5


class NotSigned(DigestMismatch):
    """A signature that is asked for is missing, is by no trusted key, or covers other digests."""


class EngineError(AssayError):
    """llama.cpp is missing, is not the pinned build, or failed."""

    exit_code = 6


class DeployError(AssayError):
    """A deployment failed, or drifted from what was recorded."""

    exit_code = 7


# What the system refuses through no fault of ours: rights, space, limits, a file where a folder must be.
_REFUSALS = {
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "ENOENT", "EEXIST", "ENOTDIR", "EISDIR", "EIO"),
        *("ENAMETOOLONG", "ELOOP", "EMFILE", "ENFILE", "ESTALE"),
    )
}


def refusal(error: OSError) -> UsageError | None:
    """Return what the user must hear of an error of the system; None when it can only be a bug of ours."""
    if error.errno not in _REFUSALS:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return UsageError(f"{place}{error.strerror}", hint="the system refuses this: check rights, space and paths")


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint for a name that nobody knows: the one that is nearest to it, or ``otherwise``."""
    import difflib  # what has no fault need not wait for it

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise
