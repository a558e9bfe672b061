"""Ask the keeper of a local deployment to go over to another line of the log, and wait for what comes of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from pipeline import __version__
from pipeline.core.errors import AssayError, DeployError
from pipeline.deploy.kept import kept
from pipeline.deploy.log import Event, Line, log_path, read
from pipeline.deploy.state import State, folder_of, read_state
from pipeline.deploy.switch import Switch, clear_switch, pending, read_switch, write_switch
from pipeline.flow.session import Session
from pipeline.flow.telling import tell
from pipeline.lock.model import Lockfile

_POLL = 0.05
_WITHIN, _END_WITHIN = 1800.0, 60.0


def settle(session: Session, name: str) -> None:
    """Wait until it is known what came of a switch whose command was interrupted; where nobody is left who could tell, record that.

    Raises DeployError when it takes too long.
    """
    folder = folder_of(session.project.state, name)
    if not pending(folder):
        return
    with session.progress.task(f"{name} is being replaced already"):
        _wait(folder)
    if switch := read_switch(folder):
        for line in read(log_path(session.project.state)).require().of(name):
            if line.digest == switch.entry:
                failure_of(session, line, "what keeps it up ended")
    clear_switch(folder)


def stays(session: Session, running: Line, event: Event, lock: Lockfile) -> Event | None:
    """Return the event for a deployment behind the door that is open; None when there must be a new one.

    The door stays where its keeper answers, is of this version of Assay, and no other port is asked for: a rollback never does, a
    deployment does with ``--port``, or when its spec names another one than the spec of what runs.
    """
    state = read_state(folder_of(session.project.state, event.name))
    if not state or not state.keeper.running() or state.entry != running.digest or state.version != __version__:
        return None
    port, taken = event.options.get("port"), state.url.rpartition(":")[2]
    if state.phase not in ("running", "waiting") or not taken.isdigit():
        return None
    if event.action == "deploy" and port not in (None, 0, int(taken)):
        return None
    if event.action == "deploy" and port is None:
        try:
            if kept(session.project.state, running.event.lock).spec.deploy.port != lock.spec.deploy.port:
                return None
        except AssayError:
            return None
    if port is None or event.action != "deploy":
        port = running.event.options.get("port")
    return replace(event, options=event.options | {"port": port})


def switch(session: Session, line: Line, *, beside: bool) -> State | str:
    """Let the keeper go over to a line of the log; returns its state, or why it did not. What failed is on record then.

    The keeper goes on when this is interrupted. Raises DeployError when it takes too long.
    """
    name, folder = line.event.name, folder_of(session.project.state, line.event.name)
    engine = str(session.engine_path.resolve()) if session.engine_path else ""
    write_switch(folder, Switch(line.digest, engine, beside))
    with session.progress.task(f"replace {name}"):
        _wait(folder)
    found = read_state(folder)
    alive = found is not None and found.keeper.running()
    if found and alive and found.entry == line.digest and not pending(folder):
        return found
    clear_switch(folder)
    told = _failure(session, line)
    if not told:
        why = f"what keeps it up did not take it: see {folder / 'log'}" if alive else "what keeps it up ended"
        return failure_of(session, line, why, **({"serving": found.entry} if found and alive else {}))
    if "serving" not in told.options:
        _end(folder)
    return told.reason


def failure_of(session: Session, line: Line, why: str, **options: object) -> str:
    """Return why what a line of the log put into service did not come up, by the log; recorded with ``why`` if it isn't yet."""
    told = _failure(session, line)
    return told.reason if told else tell(session.project, "failed", line, why, {"never_answered": True, **options})


def _failure(session: Session, line: Line) -> Event | None:
    lines = read(log_path(session.project.state)).require().of(line.event.name)
    failed = [
        one.event for one in lines if one.event.action == "failed" and one.event.options.get("entry") == line.digest
    ]
    return failed[-1] if failed else None


def settled(folder: Path) -> State | None:
    """Wait until what a keeper keeps up answers, or is over; returns how it stands."""
    deadline = time.monotonic() + _WITHIN
    while True:
        state = read_state(folder)
        if not state or state.phase == "running" or state.over or not state.keeper.running():
            return state
        if time.monotonic() > deadline:
            return state
        time.sleep(_POLL)


def _end(folder: Path) -> None:
    """Wait until a keeper that has nothing left to serve has said how it ended."""
    deadline = time.monotonic() + _END_WITHIN
    while (state := read_state(folder)) and not state.over and state.keeper.running() and time.monotonic() < deadline:
        time.sleep(_POLL)


def _wait(folder: Path) -> None:
    """Wait until nothing is pending, or nobody is there who could settle it."""
    deadline = time.monotonic() + _WITHIN
    while pending(folder):
        state = read_state(folder)
        if not state or not state.keeper.running():
            return
        if time.monotonic() > deadline:
            raise DeployError(
                "the engine is not replaced yet", hint=f"it goes on; see {folder / 'log'}, and assay status"
            )
        time.sleep(_POLL)
