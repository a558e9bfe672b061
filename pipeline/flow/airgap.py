"""Models leave a project and come into another: packed, mirrored, exported."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.airgap.contents import gather
from pipeline.airgap.layout import Packed
from pipeline.airgap.results import results_of
from pipeline.flow.session import Session
from pipeline.spec.load import find_spec


def pack(session: Session, names: Iterable[str], *, results: bool = True) -> list[Packed]:
    """Return models with all that belongs to them. Raises LockOutOfDate where a lock is not current."""
    found = []
    for name in names:
        lock = session.current(name)
        made = results_of(session.project.database, str(lock.digest)) if results else None
        found.append(gather(session.project, session.store, lock, made, find_spec(session.project, name)))
    return found
