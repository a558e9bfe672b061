from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.digest import Digest
from pipeline.lint.evidence.requests import conversations_digest
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import ServedRule, apart
from pipeline.lint.rules._template import sources
from pipeline.lint.subject import Subject
from pipeline.lock.clock import reads_clock

AGAIN = "look at the change; if it is meant, run assay lock, and all checks are done again"


class PromptsMoved(ServedRule):
    """The engine makes other prompts of a conversation than those that the lock pins.

    A lock holds the digests of what the pinned engine makes of a set of conversations. Where they differ now, the engine
    is another build, or was patched, or does otherwise on this machine: the model is asked in another form than the one
    that was tested. The lock keeps digests only; where a rendering in jinja2 is what was locked, the finding shows both
    texts, else what the engine makes of it now. A lock made without an engine pins no prompts (an info).

    To mend it, use the engine that the lock names; or, if the change is meant, lock again and test again.
    """

    code = "A622"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        if subject.lock is None:
            return "no lock says what the prompts should be"
        if any(reads_clock(source.text) for source in sources(subject)):
            return "the chat template reads the clock: chat.date in the spec makes its day stand still"
        pinned = subject.lock.prompts
        served = subject.served.replies
        if silent := [
            name for name in (pinned.digests if pinned else ()) if name not in served or not served[name].status
        ]:
            return f"llama-server gave no answer to {', '.join(silent[:3])}"
        other = pinned is not None and pinned.conversations != str(conversations_digest())
        return "the lock pins prompts of other conversations than this Assay asks for: run assay lock" if other else ""

    def check(self, subject: Subject) -> Iterable[Finding]:
        pinned = subject.lock.prompts if subject.lock else None
        if pinned is None:
            yield self.finding(
                "the lock pins no prompts, so a change of them would not be seen",
                where="lock:prompts",
                evidence="it was made without the engine, or without a chat template",
                fix="run assay lock with the engine at hand",
                severity=Severity.INFO,
            )
            return
        now = {name: subject.served.text(name) for name in pinned.digests}
        moved = [name for name, text in now.items() if text is None or _digest(text) != pinned.digests[name]]
        if moved:
            first, others = moved[0], f" (and of {len(moved) - 1} others)" if len(moved) > 1 else ""
            yield self.finding(
                f"the engine's prompt of the conversation {first!r}{others} is not the one that the lock pins",
                where=f"lock:prompts.digests.{first}",
                evidence=_shown(subject, first, now[first], pinned.digests[first]),
                fix=AGAIN,
            )


def _digest(text: str) -> str:
    return str(Digest.of(text.encode()))


def _shown(subject: Subject, name: str, now: str | None, was: str) -> str:
    """Say how a prompt moved, as far as it can be known from a digest."""
    if now is None:
        return f"it was a prompt, and is refused now: {subject.served.replies[name].words}"
    ours = subject.renderings[name].text if name in subject.renderings else None
    bos = subject.facts.bos_token or ""
    for before in (ours, ours.removeprefix(bos)) if ours is not None else ():
        if _digest(before) == was:
            one, other = apart(before, now)
            return f"it was {one!r}, and is {other!r}"
    return f"the lock keeps only a digest; it is now {now[:120]!r}"


RULE = PromptsMoved()
