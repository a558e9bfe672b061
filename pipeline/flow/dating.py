"""Make the day of a model's prompts stand still: a template in which it does, kept beside the lock and locked like any other
file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.core.project import Project
from pipeline.flow.prepare import fetch_files
from pipeline.flow.session import Session
from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.gguf.header import Header
from pipeline.lock.clock import pinned
from pipeline.lock.compare import weights_of
from pipeline.lock.model import LockedFile, Lockfile


@dataclass(frozen=True)
class Dated:
    """A lock with its dated template, if it has one, and the text of that where it has to be written."""

    lock: Lockfile
    text: str | None = None

    def write(self, project: Project) -> None:
        """Write the template to its place beside the lock; one that the lock no longer names is removed."""
        path = dated_path(project, self.lock.name)
        if self.text is not None:
            atomic_write(path, self.text.encode())
        elif self.lock.dated_template is None:
            path.unlink(missing_ok=True)


def dated_path(project: Project, name: str) -> Path:
    """Return where the dated template of ``name`` lies."""
    return project.lockfiles / f"{name}.dated.jinja"


def dated(session: Session, lock: Lockfile, before: Lockfile | None) -> Dated:
    """Return a lock with a template in which it is always the day that its spec names; the same lock where the spec names
    none, or the template reads no clock. What ``before``, the present lock, has of it is kept while nothing it was made of
    changed; else the template is read, at its origin if need be.

    Raises UsageError where the day can't be pinned, NetworkError.
    """
    day = lock.spec.chat.date
    if day is None or lock.spec.profile != "chat":
        return Dated(lock)
    if before and before.spec.chat.date == day and _without(before) == _without(lock):
        kept = before.dated_template
        path = dated_path(session.project, lock.name)
        if kept is None or (path.is_file() and str(Digest.of_file(path)) == kept.sha256):
            return Dated(_with(lock, kept))
    text = template_of(session, lock)
    if text is None:
        return Dated(lock)
    made = pinned(text, day)
    if made == text:
        return Dated(lock)
    data = made.encode()
    file = LockedFile.model_validate(
        {
            "role": "chat_template",
            "path": dated_path(session.project, lock.name).name,
            "size": len(data),
            "sha256": str(Digest.of(data)),
            "urls": [f"file:{dated_path(session.project, lock.name).relative_to(session.project.root).as_posix()}"],
            "known": "computed",
        }
    )
    return Dated(_with(lock, file), made)


def template_of(session: Session, lock: Lockfile) -> str | None:
    """Return the text of the chat template that a lock names, else of the one in its weights; None where there is none.

    Raises UsageError where the file has another one for tools, which a template of the spec would replace; NetworkError.
    """
    if (own := own_template(session, lock)) is not None:
        return own
    metadata = headers_of(session, lock)[0].metadata
    if isinstance(metadata.get(f"{TEMPLATE_KEY}.tool_use"), str):
        said = f"{lock.name}: the file has another chat template for tools, which a template with a date would replace"
        raise UsageError(said, hint="name one template for all in the spec (chat.template)")
    text = metadata.get(TEMPLATE_KEY)
    return text if isinstance(text, str) else None


def own_template(session: Session, lock: Lockfile) -> str | None:
    """Return the text of the file that a lock names as chat template, fetched where it isn't here; None where it names none."""
    return read_template(*fetch_files(session, [lock.template])) if lock.template else None


def read_template(path: Path) -> str:
    """Return the text of a template. Raises UsageError where it is none."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        said = f"the chat template that the spec names is not UTF-8 text: byte {error.start}"
        raise UsageError(said, hint="save it as UTF-8, then run assay lock") from None


def headers_of(session: Session, lock: Lockfile) -> list[Header]:
    """Return the headers of a lock's weights: from the store, else from their origin. Raises NetworkError, UsageError."""

    def stored(file: LockedFile) -> Path | None:
        return session.store.path(file.digest) if session.store.has(file.digest) else None

    return [part.header for part in weights_of(lock, stored, session.project.root).parts]


def _without(lock: Lockfile) -> list[str]:
    return [file.sha256 for file in lock.files if file is not lock.dated_template]


def _with(lock: Lockfile, file: LockedFile | None) -> Lockfile:
    return lock.model_copy(update={"files": (*lock.files, file)}) if file else lock
