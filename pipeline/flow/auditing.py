"""Audit: from the process that answers back to the spec, each link of the chain checked, a broken one named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.attest.keys import PublicKey
from pipeline.core.canonical import digest_of
from pipeline.core.errors import AssayError, DeployError, DigestMismatch, NotSigned
from pipeline.core.project import Project
from pipeline.deploy.history import Wish, standing
from pipeline.deploy.kept import kept
from pipeline.deploy.log import Line, Log, log_path, read
from pipeline.flow.attesting import signed
from pipeline.flow.session import Session
from pipeline.flow.status import Stand, stand_of
from pipeline.lock.meaning import meaning
from pipeline.lock.model import Lockfile
from pipeline.record import read as record
from pipeline.record.model import Decision, Run
from pipeline.spec.load import find_spec
from pipeline.store.verify import verify

BYTES, DEPLOYMENT = DigestMismatch.exit_code, DeployError.exit_code


@dataclass(frozen=True)
class Link:
    """One link: what is checked, what was found, and the exit code when it is broken, 0 when it holds."""

    name: str
    said: str
    broken: int = 0


@dataclass(frozen=True)
class Audit:
    """The whole chain of one deployment, its links from the live process down to the spec. What could not be read is None or empty.

    ``line`` put into service what runs now; ``history`` holds all lines on this name; ``changes`` says what became different with
    ``line``; ``head`` is the log's last digest: kept elsewhere, it shows later that no line was made anew.
    """

    name: str
    links: tuple[Link, ...]
    line: Line
    stand: Stand
    history: tuple[Line, ...]
    head: str
    lock: Lockfile | None = None
    decision: Decision | None = None
    runs: tuple[Run, ...] = ()
    engine: dict[str, Any] | None = None
    hardware: dict[str, Any] | None = None
    changes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when every link holds; 5 when bytes are others, 7 otherwise."""
        codes = {link.broken for link in self.links} - {0}
        return min(codes, default=0)


def audit(session: Session, name: str, *, expect: str = "", keys: Sequence[PublicKey] = ()) -> Audit:
    """Walk and check the chain of a deployment; nothing is changed. ``expect`` is a digest that the log must hold a line
    of; of ``keys`` one must attest the lock, and that the gate accepted it.

    Raises DeployError for a name that the log doesn't know, UsageError for one that no spec has either.
    """
    project, log = session.project, read(log_path(session.project.state))
    history = log.of(name)
    if not history:
        if not log.faults:
            find_spec(project, name)
        faults = "".join(f"\n  {fault}" for fault in log.faults)
        raise DeployError(f"{name} was never deployed{faults}", hint=f"assay deploy {name}")
    found = standing(history)
    stand = stand_of(session, log, name)
    line, event = stand.line, stand.line.event
    links = [_log(log, expect)]
    links.append(_live(stand))
    lock = None
    try:
        lock = kept(project.state, event.lock)
        links += _lock(project, event.lock, lock)
        links.append(_blobs(session, lock))
        if keys:
            links.append(_attested(session, lock, keys))
    except AssayError as error:
        links.append(Link("lock", error.message, BYTES))
    decision = _decision(project, line)
    links.append(_judged(line, decision))
    runs = _runs(project, decision)
    links.append(_rests(line, decision, runs))
    engine, hardware = record.engine(project.database, event.engine), record.hardware(project.database, event.hardware)
    links.append(_engine(line, engine))
    earlier = [one for one in found.stack if one.number < line.number]
    before = earlier[-1] if earlier else None
    changes = _changes(project, before, lock)
    return Audit(
        *(name, tuple(links), line, stand, tuple(history), log.head),
        lock=lock,
        decision=decision,
        runs=tuple(runs),
        engine=engine,
        hardware=hardware,
        changes=changes,
    )


def _attested(session: Session, lock: Lockfile, keys: Sequence[PublicKey]) -> Link:
    try:
        found = signed(session, lock, keys)
    except NotSigned as error:
        return Link("signed", error.message, error.exit_code)
    return Link("signed", "\n".join(f"{one.kind} by key {one.key.id[:12]}: {one.said}" for one in found))


def _log(log: Log, expect: str) -> Link:
    if log.faults:
        return Link("log", "; ".join(log.faults), DEPLOYMENT)
    if expect and expect not in {line.digest for line in log.lines}:
        return Link(
            "log", f"holds no line of digest {expect}: it was made anew, or this digest is of another log", DEPLOYMENT
        )
    return Link("log", f"{len(log.lines)} lines, each follows the one before")


def _live(stand: Stand) -> Link:
    if stand.drift:
        return Link("process", "\n".join(stand.drift), DEPLOYMENT)
    if stand.wish in (Wish.FAILED, Wish.OUT_OF_SERVICE):
        return Link("process", f"{stand.wish.value}: {stand.reason}", DEPLOYMENT)
    if stand.wish is Wish.STOPPED:
        return Link("process", "stopped, as recorded")
    if not stand.state or not stand.state.engine:
        return Link(
            "process", f"not started by Assay; the files for {stand.line.event.target} are as they were written"
        )
    said = f"{stand.state.engine.pid}: its program, libraries, files, command line and /props are those of the record"
    return Link("process", said)


def _lock(project: Project, digest: str, lock: Lockfile) -> Iterator[Link]:
    content = record.model(project.database, digest)
    if content and str(digest_of(content)) != digest:
        yield Link("lock", f"the results' record holds another lock under {digest}", BYTES)
    else:
        yield Link("lock", "its content is what its digest covers")
    spec = str(digest_of(lock.content()["spec"]))
    if spec != lock.spec_digest:
        yield Link(
            "spec", f"the lock holds another spec than it names\n  want {lock.spec_digest}\n  got  {spec}", BYTES
        )
    else:
        yield Link("spec", "the lock was made of it")


def _blobs(session: Session, lock: Lockfile) -> Link:
    results = verify(session.store, lock.files, deep=True, quarantine=False, progress=session.progress)
    bad = [f"{one.path}: {one.problem}" for one in results if not one.ok]
    if bad:
        return Link("bytes", "\n".join(bad), BYTES)
    return Link("bytes", f"{len(results)} files, {sum(file.size for file in lock.files):,} bytes, hashed now")


def _decision(project: Project, line: Line) -> Decision | None:
    event = line.event
    if not event.decision:
        return None
    made = record.decisions_of(project.database, event.lock, event.engine, event.hardware)
    return next((one for one in made if one.id == event.decision.get("id")), None)


def _judged(line: Line, decision: Decision | None) -> Link:
    event = line.event
    over = f"overridden: {event.override}" if event.override else ""
    if not event.decision:
        return (
            Link("decision", f"none; {over}") if over else Link("decision", "none, and no reason on record", DEPLOYMENT)
        )
    if not decision:
        said = f"{event.decision['id']} is not on record for this lock, engine and hardware"
        return Link("decision", said, DEPLOYMENT)
    if (have := decision.digest) != event.decision["digest"]:
        said = f"{decision.id} was edited since\n  want {event.decision['digest']}\n  got  {have}"
        return Link("decision", said, DEPLOYMENT)
    if not decision.accepted:
        said = f"{decision.id} rejected it"
        return Link("decision", f"{said}; {over}") if over else Link("decision", said, DEPLOYMENT)
    return Link("decision", f"{decision.id} accepted it; it is as it was then")


def _runs(project: Project, decision: Decision | None) -> list[Run]:
    return record.runs_by_id(project.database, decision.run_ids if decision else ())


def _rests(line: Line, decision: Decision | None, runs: list[Run]) -> Link:
    event = line.event
    if not decision:
        return Link("results", "none: there is no decision that could rest on any", 0 if event.override else DEPLOYMENT)
    there, want = {run.id: run for run in runs}, (event.decision or {}).get("runs", {})
    faults = [f"run {id} is not on record" for id in decision.run_ids if id not in there]
    for run in runs:
        key = run.key
        if (key.lock_digest, key.engine_digest, key.hardware_digest) != (event.lock, event.engine, event.hardware):
            faults.append(f"run {run.id} is of another lock, engine or class of hardware")
        if run.id in want and run.digest != want[run.id]:
            faults.append(f"run {run.id} was edited since it was deployed on")
    if faults:
        return Link("results", "\n".join(faults), DEPLOYMENT)
    return Link("results", f"{len(runs)} runs of this lock, engine and class of hardware, their rows as they were then")


def _engine(line: Line, engine: dict[str, Any]) -> Link:
    digest = line.event.engine
    if not engine:
        return Link("engine", f"{digest} is not on record", 0 if line.event.override else DEPLOYMENT)
    if str(digest_of(engine)) != digest:
        return Link("engine", "its record is not what its digest covers", DEPLOYMENT)
    return Link("engine", f"llama.cpp {engine['commit']}, {len(engine['files'])} files by digest")


def _changes(project: Project, before: Line | None, lock: Lockfile | None) -> tuple[str, ...]:
    """Return what the deployment changed, against the one before it."""
    if not before or not lock:
        return ()
    try:
        old = kept(project.state, before.event.lock)
    except AssayError as error:
        return (error.message,)
    if old.digest == lock.digest:
        return ("the same lock",)
    same = [file.sha256 for file in old.shards] == [file.sha256 for file in lock.shards]
    told = meaning(old, lock, (same, "by digest"), (None, None))
    return tuple(str(one) for one in told if one.changed)
