"""How it stands with each of several models behind one door, and what follows from it.

All of it is read and changed in the door's thread, once there is a door: a request never comes between two decisions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from pipeline.core.errors import AssayError, DigestMismatch, EngineError
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Upstream
from pipeline.flow.backend import Backend
from pipeline.flow.budget import Standing, next_start, outstayed
from pipeline.lock.model import Lockfile

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 300.0
_SHORT = 2.0  # so long a wait for the next start is one for requests too; longer, and they are refused
_STABLE = 60.0  # an engine that ran for so long and crashes then has not failed time and again
_NOWHERE = Path("/nonexistent")


@dataclass
class Resident:
    """One of the models. ``size`` in bytes is what it takes when it is loaded; ``why`` says why it is not to be had, until
    ``again`` (by the monotonic clock); ``gone``: for good. ``leaving``: its engine may not be asked any more.
    """

    lock: Lockfile
    size: int
    log: Path
    backend: Backend | None = None
    leaving: bool = False
    why: str = ""
    again: float = 0.0
    gone: bool = False
    failures: int = 0
    began: float = 0.0

    @property
    def state(self) -> str:
        """``loaded``, ``unloaded`` or ``failed``."""
        return "failed" if self.why else "loaded" if self.backend else "unloaded"

    @property
    def upstream(self) -> Upstream:
        """What the door needs to reach it; without slots while there is no engine."""
        if self.backend:
            return self.backend.upstream
        lock = self.lock
        return Upstream(
            lock.name, lock.weights.sha256, str(lock.digest), _NOWHERE, "", slots=0, profile=lock.spec.profile
        )


@dataclass(frozen=True)
class Turn:
    """What is to be done next: engines to stop, each with the reason, then a model to start."""

    stop: tuple[tuple[Backend, str], ...] = ()
    start: Resident | None = None


class Roster:
    """The models. ``budget`` in bytes is what they may take together, ``idle`` the seconds after which one that nobody
    asks is unloaded.
    """

    def __init__(self, residents: Sequence[Resident], budget: float, idle: float | None) -> None:
        self.residents = {one.lock.name: one for one in residents}
        self.last: AssayError | None = None
        self._budget, self._idle = budget, inf if idle is None else idle
        self._door: Door | None = None

    @property
    def all_fit(self) -> bool:
        """Whether all may be loaded at the same time."""
        return sum(one.size for one in self.residents.values()) <= self._budget

    def behind(self, door: Door) -> Door:
        """Let a door, which was made with their upstreams, do as it stands with them."""
        self._door = door
        for one in self.residents.values():
            if not one.backend:
                self._show(one)
        return door

    def turn(self) -> Turn:
        """Decide what to do next; what is to be stopped is not asked any more when this returns."""
        now = time.monotonic()
        for one in self.residents.values():
            if one.why and not one.gone and now >= one.again:
                one.why = ""
                self._show(one)
        stop = [(self._take(name), "nobody asked for it") for name in outstayed(self._standings(now), now - self._idle)]
        found = next_start(self._standings(now), self._budget)
        if found is None:
            return Turn(tuple(stop))
        stop += [(self._take(name), f"{found.name} needs the memory") for name in found.stop]
        return Turn(tuple(stop), self.residents[found.name])

    def up(self, one: Resident, backend: Backend) -> None:
        """Let an engine answer for a model."""
        one.backend, one.leaving, one.why, one.began = backend, False, "", time.monotonic()
        self._show(one)

    def failed(self, one: Resident, error: AssayError, *, gone: bool, crashed: bool = False) -> None:
        """Note that a model did not start, that its engine crashed, or that it may not be served any more."""
        now = time.monotonic()
        self.last, one.gone = error, gone
        one.failures = 1 if crashed and now - one.began > _STABLE else one.failures + 1
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(20, one.failures - 1))
        one.again = now + wait
        one.why = "" if crashed and wait <= _SHORT else _reason(error)
        self._show(one)

    def leave(self, one: Resident, backend: Backend, error: AssayError) -> bool:
        """Ask an engine no more, for what is wrong with it; tells whether it still was the model's own."""
        if one.backend is not backend:
            return False
        one.leaving, crashed = True, isinstance(error, EngineError)
        self.failed(one, error, gone=not crashed, crashed=crashed)
        return True

    def left(self, one: Resident) -> None:
        """Note that the engine of a model that was leaving has ended."""
        one.backend, one.leaving = None, False

    def refuse(self, why: str) -> None:
        """Let none wait for a model that is not loaded."""
        for one in self.residents.values():
            if not one.backend:
                one.why, one.gone = why, True
                self._show(one)

    def _standings(self, now: float) -> list[Standing]:
        assert self._door
        made = []
        for name, one in self.residents.items():
            room, there = self._door.room(name), one.backend is not None
            free = there and not one.leaving and room.idle()
            asked = None if there or one.why or now < one.again else room.since
            made.append(Standing(name, one.size, there, free, room.used, asked))
        return made

    def _take(self, name: str) -> Backend:
        one = self.residents[name]
        backend, one.backend = one.backend, None
        assert backend
        self._show(one)
        return backend

    def _show(self, one: Resident) -> None:
        """Let the door do as it stands with a model."""
        if not self._door:
            return
        room = self._door.room(one.lock.name)
        if one.why:
            room.close(one.why, _LONGEST_WAIT if one.gone else one.again - time.monotonic())
        elif one.backend and not one.leaving:
            room.replace(one.backend.upstream)
        else:
            room.unload()


def _reason(error: AssayError) -> str:
    """Return what a client may hear of an error: no path, no log."""
    if isinstance(error, EngineError):
        return error.message.splitlines()[0]
    return (
        "its files are not those that the lock names" if isinstance(error, DigestMismatch) else "it can't be verified"
    )
