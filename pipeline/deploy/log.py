"""The deployment log: who put which bytes into service, when and why; append-only, each line chained to the one before.

``.assay/deployments.jsonl`` holds a line of canonical JSON for each event, with its number, the digest of the line before and its own.
``deployments.head`` beside it holds the number and digest of the last line, so that a log cut at its end is noticed too. Both lie on
the same disk: who can write there can make all of it anew. A digest kept elsewhere (``assay audit`` prints it) finds even that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.core.canonical import canonical_bytes, digest_of, plain, read_json
from pipeline.core.digest import Digest
from pipeline.core.errors import DeployError
from pipeline.core.files import atomic_write, fsync_folder, locked

START = "sha256:" + "0" * 64
ACTIONS = ("deploy", "rollback", "stop", "failed", "out-of-service")
MARKS = ("path", "sha256", "size", "device", "inode", "mtime_ns", "ctime_ns")
_PATIENCE = 60.0


@dataclass(frozen=True)
class Event:
    """What happened to one deployment. ``action`` is deploy, rollback, stop, failed or out-of-service.

    ``actor`` says who: uid, user, git commit of the project. ``proof`` lists the files as they were hashed for this event: path, sha256,
    size, device, inode and times. ``files`` are written files with their sha256. ``previous`` is the digest of the line that said the
    last thing of this deployment. ``decision`` holds id and digest of the gate's decision; ``override`` why it did not count.
    """

    name: str
    action: str
    target: str
    lock: str
    actor: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    hardware: str = ""
    weights: tuple[str, ...] = ()
    template: str | None = None
    argv: tuple[str, ...] = ()
    env_keys: tuple[str, ...] = ()
    decision: dict[str, Any] | None = None
    override: str | None = None
    proof: tuple[dict[str, Any], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    previous: str | None = None


@dataclass(frozen=True)
class Line:
    """An event on record. ``digest`` covers all else, ``before`` is that of the line before; ``time`` is in UTC, ISO 8601."""

    number: int
    before: str
    time: str
    event: Event
    digest: str


@dataclass(frozen=True)
class Log:
    """What was read: the lines that can be read, and what is wrong with the whole, each fault with the number of its line."""

    lines: tuple[Line, ...]
    faults: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self.lines[-1].digest if self.lines else START

    def of(self, name: str) -> list[Line]:
        """Return the lines on one deployment, oldest first."""
        return [line for line in self.lines if line.event.name == name]

    def names(self) -> list[str]:
        """Return the names of all deployments, sorted."""
        return sorted({line.event.name for line in self.lines})

    def require(self) -> Log:
        """Return itself. Raises DeployError when anything is wrong with it."""
        if self.faults:
            listed = "\n".join(f"  {fault}" for fault in self.faults)
            raise DeployError(
                f"the deployment log is not as it was written:\n{listed}", hint="see it: assay audit NAME"
            )
        return self


def log_path(state: Path) -> Path:
    """Return where the log of a project lies; ``state`` is its ``.assay``."""
    return state / "deployments.jsonl"


def append(path: Path, event: Event, now: datetime) -> Line:
    """Add one event; it is on the disk when this returns. ``previous`` is filled in.

    A last line without its end, left by a process that was killed while it wrote, was never acknowledged and is dropped. Raises
    DeployError when the log is damaged otherwise: nothing is added to a log that can't be trusted; OSError, and the log is as before.
    """
    with locked(path.with_name(f"{path.name}.lock"), wait=_PATIENCE):
        known = read(path).require()
        last = known.of(event.name)
        content = {
            "number": len(known.lines) + 1,
            "before": known.head,
            "time": now.isoformat(),
            "event": asdict(event) | {"previous": last[-1].digest if last else None},
        }
        content = plain(content)
        content["digest"] = str(digest_of(content))
        before = _write(path, canonical_bytes(content) + b"\n")
        try:
            atomic_write(_head_path(path), canonical_bytes([content["number"], content["digest"]]))
        except OSError:  # the last page of the log had room, the disk had none for another file
            os.truncate(path, before)
            raise
        return _line(content)


def read(path: Path) -> Log:
    """Read and judge the whole log. It never raises for what is in it; a log that isn't there is empty."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    whole = content.split(b"\n")[:-1]  # what follows the last end of line was never finished
    lines, faults = list[Line](), list[str]()
    for place, text in enumerate(whole, 1):
        line, fault = _read_line(text)
        if line is None:
            faults.append(f"line {place}: {fault}")
            continue
        if fault:
            faults.append(f"line {place}: {fault}")
        lines.append(line)
    faults += _chain(lines) if len(lines) == len(whole) else []
    faults += _end(path, lines, len(whole))
    return Log(tuple(lines), tuple(faults))


def _read_line(text: bytes) -> tuple[Line | None, str]:
    try:
        content = read_json(text)
        line = _line(content)
        if canonical_bytes(content) != text:
            return line, "was edited: it is not written as the log writes"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, f"was edited: it is no line of the log ({error})"
    if str(digest_of({key: value for key, value in content.items() if key != "digest"})) != line.digest:
        return line, "was edited: its content is not what its digest covers"
    return line, ""


def _line(content: dict[str, Any]) -> Line:
    """Return a line of its JSON. Raises what is wrong with a value that no line has."""
    event = dict(content["event"])
    for key in ("weights", "argv", "env_keys", "proof"):
        event[key] = tuple(event[key])
    line = Line(content["number"], content["before"], content["time"], Event(**event), content["digest"])
    one = line.event
    texts: tuple[object, ...] = (
        line.before,
        line.time,
        line.digest,
        one.name,
        one.action,
        one.target,
        one.lock,
        one.engine,
        one.hardware,
    )
    texts += (one.reason, *one.weights, *one.argv, *one.env_keys, *one.files, *one.files.values())
    texts += tuple(text for text in (one.template, one.override, one.previous) if text is not None)
    tables = (one.actor, one.files, one.options, one.decision or {}, *one.proof)
    if (
        type(line.number) is not int
        or set(content) != {"number", "before", "time", "event", "digest"}
        or not all(isinstance(text, str) for text in texts)
        or not all(isinstance(table, dict) for table in tables)
        or one.action not in ACTIONS
        or any(set(proof) != set(MARKS) for proof in one.proof)
    ):
        raise ValueError("other keys or values")
    return line


def _chain(lines: list[Line]) -> Iterator[str]:
    """Yield where a line does not follow the one before it."""
    before, number, seen = START, 0, set[str]()
    for place, line in enumerate(lines, 1):
        if line.digest in seen:
            yield f"line {place}: stands there twice"
        elif line.number > number + 1:
            missing = (
                f"line {number + 1} is" if line.number == number + 2 else f"lines {number + 1} to {line.number - 1} are"
            )
            yield f"line {place}: {missing} missing before it, it says that it is line {line.number}"
        elif line.number <= number:
            yield f"line {place}: is out of order or was inserted, it says that it is line {line.number}"
        elif line.before != before:
            yield f"line {place}: does not follow the line before it: one of the two was replaced"
        seen.add(line.digest)
        before, number = line.digest, line.number


def _end(path: Path, lines: list[Line], count: int) -> Iterator[str]:
    """Yield what is wrong with the end. A process killed between the line and the head leaves a head one line behind."""
    try:
        number, digest = read_json(_head_path(path).read_bytes())
    except FileNotFoundError:
        if count > 1:
            yield f"the end: {_head_path(path).name} is missing"
        return
    except (ValueError, TypeError):
        yield f"the end: {_head_path(path).name} was edited"
        return
    if count < number:
        yield (
            f"line {count + 1}: lines {count + 1} to {number} were cut off"
            if number > count + 1
            else (f"line {number}: was cut off")
        )
    elif count > number + 1:
        yield f"line {number + 2}: was added by something else"
    elif len(lines) == count and (lines[number - 1].digest if number else START) != digest:
        yield f"line {number}: is not the line that was written last"


def _head_path(path: Path) -> Path:
    return path.with_suffix(".head")


def _write(path: Path, line: bytes) -> int:
    """Append a whole line or nothing, on the disk; returns how long the log was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = _finished(handle)
        os.ftruncate(handle, size)
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(handle, line[written:], size + written)
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if new:
        fsync_folder(path.parent)
    return size


def _finished(handle: int) -> int:
    """Return how many bytes the finished lines take."""
    size = os.fstat(handle).st_size
    content = os.pread(handle, size, 0)
    return content.rfind(b"\n") + 1


def mark(path: Path, digest: Digest) -> dict[str, Any]:
    """Return what a file that has this digest looks like now. Raises OSError."""
    found = path.stat()
    values = (found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
    return dict(zip(MARKS, (str(path), str(digest), *values), strict=True))
