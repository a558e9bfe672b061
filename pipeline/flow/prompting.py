"""Pin what the engine makes of conversations: the digests of its prompts go into the lock, so that a prompt that changes
with another engine is seen. No weights are needed, and no socket beyond this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import BoundedSemaphore

import httpx

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, EngineError, UsageError
from pipeline.core.scratch import scratch
from pipeline.flow.dating import headers_of, template_of
from pipeline.flow.session import Session
from pipeline.gguf.corrected import corrected
from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.gguf.header import Header
from pipeline.lint.evidence.hollow import last_words
from pipeline.lint.evidence.requests import REQUESTS, conversations_digest
from pipeline.lock.clock import reads_clock
from pipeline.lock.model import LockedPrompts, Lockfile
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.hollow import serving, why_not, write_hollow
from pipeline.runtime.server import Running

_READY, _ANSWER = 30.0, 10.0
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
    reads the clock, or where it renders none of them. Raises EngineError where the engine does not start with it, or
    does not answer every time: some of the prompts would be taken for all.
    """
    metadata = headers[0].metadata
    of_tools = metadata.get(f"{TEMPLATE_KEY}.tool_use") if template is None else None
    text = template if template is not None else metadata.get(TEMPLATE_KEY)
    if not isinstance(text, str) or not text.strip() or reads_clock(text):
        return None
    if isinstance(of_tools, str) and reads_clock(of_tools):
        return None
    with _AT_ONCE:
        found = ask_prompts(lock, template, headers[0], build)
    if found.why:
        raise EngineError(found.why)
    if not found.texts:
        return None
    return LockedPrompts(
        llama_cpp_commit=lock.engine.llama_cpp_commit,
        conversations=str(conversations_digest()),
        digests={name: str(Digest.of(text.encode())) for name, text in sorted(found.texts.items())},
    )


@dataclass(frozen=True)
class Prompts:
    """What an engine makes of the conversations: prompts by name, errors by name, and why there is nothing more."""

    texts: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    why: str = ""


def ask_prompts(lock: Lockfile, template: str | None, header: Header, build: EngineBuild) -> Prompts:
    """Start an engine on a model without its weights and ask it for the prompts of all conversations. ``template`` takes the
    place of the one in ``header``, the overrides of the lock's spec that of its metadata.
    """
    header = corrected(header, lock.spec.engine.overrides)
    if why := why_not(header):
        return Prompts(why=why)
    with scratch() as folder:
        path, own = folder / "hollow.gguf", folder / "template.jinja"
        write_hollow(header, path)
        if template is not None:
            own.write_bytes(template.encode())
        try:
            with serving(build, path, template=own if template is not None else None, ready_within=_READY) as server:
                return _asked(server)
        except EngineError as error:
            return Prompts(why=error.message)


def _asked(server: Running) -> Prompts:
    texts, errors = dict[str, str](), dict[str, str]()
    for name, body in REQUESTS.items():
        if not server.alive():
            return Prompts(texts, errors, f"the engine died before {name!r}")
        try:
            answer = server.client.post("/apply-template", json=body, timeout=_ANSWER)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return Prompts(texts, errors, f"no answer to {name!r}: {error}")
        if answer.is_success:
            texts[name] = str(said["prompt"])
        else:
            errors[name] = last_words(str(said.get("error", {}).get("message", ""))) or f"status {answer.status_code}"
    return Prompts(texts, errors)


def _stored(session: Session, lock: Lockfile) -> list[Header]:
    if not all(session.store.has(file.digest) for file in lock.shards):
        raise UsageError(f"the weights are not in the store: assay fetch {lock.name}, then lock again")
    return headers_of(session, lock)


def _template(session: Session, lock: Lockfile) -> str | None:
    return template_of(session, lock) if lock.template else None


def _decides(lock: Lockfile) -> object:
    """Return what a lock's prompts depend on."""
    files = [file.sha256 for file in lock.files if file.role in ("weights", "shard", "chat_template")]
    return files, lock.spec.engine.overrides, lock.spec.profile, lock.engine.llama_cpp_commit
