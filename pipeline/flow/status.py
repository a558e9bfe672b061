"""How deployments stand: what the log says should be, against what is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, EngineError
from pipeline.deploy.history import Wish, standing
from pipeline.deploy.kept import kept
from pipeline.deploy.live import drift_of_files, drift_of_process
from pipeline.deploy.log import Line, Log, log_path, read
from pipeline.deploy.state import State, folder_of, read_state
from pipeline.deploy.switch import read_switch
from pipeline.deploy.targets._base import target_of
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile
from pipeline.runtime.server import prove

_ASK_WITHIN = 20.0
_MOMENT = 0.5


@dataclass(frozen=True)
class Stand:
    """One deployment. ``wish`` is what the log says last, ``line`` what was put into service last; ``state`` what its keeper says;
    ``drift`` lists every difference, and is empty where there is none. ``reason`` says why it is out of service. While an engine is being
    replaced, ``line`` is what still serves, and ``coming`` what is about to.
    """

    name: str
    wish: Wish
    line: Line
    state: State | None
    drift: tuple[str, ...] = ()
    reason: str = ""
    coming: Line | None = None

    @property
    def sound(self) -> bool:
        """Whether it is as it should be: running, or stopped because somebody stopped it."""
        return not self.drift and self.wish in (Wish.RUNNING, Wish.STOPPED)

    @property
    def word(self) -> str:
        """How it stands, in a word or two."""
        if self.drift:
            return "drifted"
        if self.wish is Wish.RUNNING and not target_of(self.line.event.target).STARTS:
            return "written"
        if self.coming:
            return "switching"
        return self.wish.value


def status(session: Session, names: tuple[str, ...], *, deep: bool = False) -> list[Stand]:
    """Return how the named deployments stand, or all. ``deep`` hashes every file again. Raises DeployError for a log that can't be
    trusted, AssayError for a name that was never deployed.
    """
    from pipeline.flow.deploying import standing_of

    log = read(log_path(session.project.state)).require()
    for name in names:
        standing_of(session, name)
    return [stand_of(session, log, name, deep=deep) for name in names or log.names()]


def stand_of(session: Session, log: Log, name: str, *, deep: bool = False, sure: bool = False) -> Stand:
    """Return how one deployment of the log stands. Log and state are not written in the same moment: where they don't agree, both are
    read once more, unless that makes it ``sure`` already.
    """
    found = standing(log.of(name))
    line = found.now or found.line
    state = read_state(folder_of(session.project.state, name))
    if found.wish is not Wish.RUNNING:
        left = state and state.phase == "running" and state.engine and state.engine.running()
        drift = ("it still runs, although it should not",) if left else ()
        return Stand(name, found.wish, line, state, drift, found.line.event.reason)
    if not target_of(line.event.target).STARTS:
        return Stand(name, found.wish, line, None, tuple(_written(line, deep)))
    coming = None
    if state and state.entry != line.digest and state.keeper.running():
        serving = [one for one in log.of(name) if one.digest == state.entry]
        asked = read_switch(folder_of(session.project.state, name))
        if serving and (state.coming == line.digest or (asked and asked.entry == line.digest)):
            line, coming = serving[0], line
        elif not sure:
            time.sleep(_MOMENT)
            return stand_of(session, read(log_path(session.project.state)), name, deep=deep, sure=True)
    seen = tuple(_local(session, line, state, deep, switching=coming is not None))
    return Stand(name, found.wish, line, state, seen, coming=coming)


def _local(session: Session, line: Line, state: State | None, deep: bool, *, switching: bool) -> Iterator[str]:
    yield from drift_of_files(line.event, deep=deep)
    if state is None or state.entry != line.digest:
        other = state is not None and state.keeper.running()
        yield "what is kept up is another line of the log" if other else "nothing keeps it up"
        return
    if not state.keeper.running():
        yield f"the process that keeps it up is gone (it was {state.keeper.pid}, and said last: {state.phase})"
        return
    if state.phase != "running" or not state.engine:
        if switching:
            return  # requests wait while one engine makes room for the other
        yield f"it is {state.phase}: {state.reason}" if state.reason else f"it is {state.phase}"
        return
    yield from drift_of_process(line.event, state.engine.pid)
    try:
        lock = kept(session.project.state, line.event.lock)
    except AssayError as error:
        yield error.message
        return
    yield from _props(session, lock, state)


def _props(session: Session, lock: Lockfile, state: State) -> Iterator[str]:
    """Yield in what the server says of itself otherwise than the lock."""
    try:
        key = Path(state.key_file).read_text().split()[0]
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=state.url, headers=headers, trust_env=False, timeout=_ASK_WITHIN) as client:
            prove(client, lock, session.stored(lock).weights)
    except (OSError, IndexError):
        yield f"its key can't be read: {state.key_file}"
    except EngineError as error:
        yield error.message


def _written(line: Line, deep: bool) -> Iterator[str]:
    """Yield which of the files that were written are others now, and which of those that they name."""
    folder = Path(line.event.options.get("output") or "")
    for name, want in line.event.files.items():
        path = folder / name
        try:
            have = str(Digest.of_file(path))
        except OSError as error:
            yield f"{path}: {error.strerror}"
            continue
        if have != want:
            yield f"{path}: edited since it was written\n  want {want}\n  got  {have}"
    yield from drift_of_files(line.event, deep=deep)
