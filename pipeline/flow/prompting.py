"""Pin what the engine makes of conversations: the digests of its prompts go into the lock, so that a prompt that changes
with another engine is seen. No weights are needed, and no socket beyond this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import BoundedSemaphore

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, EngineError, UsageError
from pipeline.flow.dating import headers_of, template_of
from pipeline.flow.session import Session
from pipeline.gguf.header import Header
from pipeline.lint.evidence.hollow import Served
from pipeline.lint.evidence.requests import conversations_digest
from pipeline.lint.subject import subject_from
from pipeline.lock.clock import reads_clock
from pipeline.lock.model import LockedPrompts, Lockfile
from pipeline.runtime.build import EngineBuild

_AT_ONCE = BoundedSemaphore(2)  # each is a server that starts


def with_prompts(
    session: Session,
    lock: Lockfile,
    before: Lockfile | None,
    headers: Sequence[Header] = (),
    template: str | None = None,
) -> Lockfile:
    """Return a lock with the digests of its prompts. What ``before``, the present lock, has of them is kept while nothing
    that decides them changed, with an engine here or without. ``headers`` are those of the weights, and ``template`` the
    text of a template that was just made for the lock, as far as they are known; else they are read from the store.

    A lock stays without them, and a note says why, where there is no engine of the pinned commit, or it does not start
    with this model.
    """
    if lock.spec.profile != "chat":
        return lock
    wanted = str(conversations_digest())
    kept = before.prompts if before and _decides(before) == _decides(lock) else None
    if kept and kept.conversations == wanted:
        return lock.model_copy(update={"prompts": kept})
    try:
        build = session.require_engine(lock)
    except EngineError as error:
        if kept:
            return lock.model_copy(update={"prompts": kept})
        session.progress.note(f"{lock.name}: its prompts are not locked: {error.message.splitlines()[0]}")
        return lock
    try:
        found = prompts_of(lock, template or _template(session, lock), headers or _stored(session, lock), build)
    except AssayError as error:
        session.progress.note(f"{lock.name}: its prompts are not locked: {error.message.splitlines()[0]}")
        return lock
    return lock.model_copy(update={"prompts": found}) if found else lock


def prompts_of(
    lock: Lockfile, template: str | None, headers: Sequence[Header], build: EngineBuild
) -> LockedPrompts | None:
    """Return the digests of what an engine makes of the conversations; None where there is no chat template, where it
    reads the clock, or where the engine does not start with it.
    """
    subject = subject_from(*headers, spec=lock.spec, template=template, engine=build)
    if not subject.template or reads_clock(subject.template):
        return None
    with _AT_ONCE:
        texts = texts_of(subject.served)
    if not texts:
        return None
    return LockedPrompts(
        llama_cpp_commit=lock.engine.llama_cpp_commit,
        conversations=str(conversations_digest()),
        digests={name: str(Digest.of(text.encode())) for name, text in sorted(texts.items())},
    )


def _stored(session: Session, lock: Lockfile) -> list[Header]:
    if not all(session.store.has(file.digest) for file in lock.shards):
        raise UsageError(f"the weights are not in the store: assay fetch {lock.name}, then lock again")
    return headers_of(session, lock)


def _template(session: Session, lock: Lockfile) -> str | None:
    return template_of(session, lock) if lock.template else None


def texts_of(served: Served) -> dict[str, str]:
    """Return the prompts that a server made, by the conversation's name."""
    return {name: reply.text for name, reply in served.replies.items() if reply.text is not None}


def _decides(lock: Lockfile) -> object:
    """Return what a lock's prompts depend on."""
    files = [file.sha256 for file in lock.files if file.role in ("weights", "shard", "chat_template")]
    return files, lock.spec.engine.overrides, lock.spec.profile, lock.engine.llama_cpp_commit
