"""What rules share that ask the engine: when they can't judge, and how they keep from saying again what rules on the
header have said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pipeline.lint.evidence.hollow import Reply
from pipeline.lint.evidence.requests import REQUESTS
from pipeline.lint.model import Severity, Stage
from pipeline.lint.probes import PROBES, WITH_TOOLS
from pipeline.lint.rules._base import Rule, without_template
from pipeline.lint.rules._template import asks_for_tools
from pipeline.lint.subject import Subject

if TYPE_CHECKING:
    from pipeline.runtime.vocabulary import Reading

SHAPES = ("round-text", "round-null", "round-absent")
"""One call and its result in the three shapes that clients send: content empty, null, absent."""

OTHERWISE = "name a template that this engine renders as it is meant in the spec (chat.template), or use another engine"


def told(subject: Subject, rules: Iterable[Rule]) -> str:
    """Say which of ``rules`` has found the cause already, as an error or a warning; "" for none."""
    for rule in rules:
        if not rule.skip(subject) and any(found.severity is not Severity.INFO for found in rule.check(subject)):
            return f"{rule.code} says what is wrong"
    return ""


class SpokenRule(Rule):
    """A rule on the engine's reading of the vocabulary. It is silent where one of ``behind`` has found the cause."""

    stage = Stage.VOCABULARY
    behind: ClassVar[tuple[Rule, ...]] = ()

    def skip(self, subject: Subject) -> str:
        if reason := subject.spoken.missing:
            return reason
        if subject.spoken.reading is None:
            return "llama.cpp does not take the vocabulary"
        return told(subject, self.behind)


class ServedRule(Rule):
    """A rule on what llama-server makes of the chat template. It is silent where one of ``behind`` has found the cause."""

    stage = Stage.HOLLOW
    behind: ClassVar[tuple[Rule, ...]] = ()

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject) or subject.served.missing:
            return reason
        if not subject.served.up:
            return "llama-server does not start with the template"
        return told(subject, self.behind)


def reading_of(subject: Subject) -> Reading:
    """Return the engine's reading; for rules whose ``skip`` has made sure of it."""
    assert subject.spoken.reading is not None
    return subject.spoken.reading


def named(subject: Subject, tokens: Sequence[int], most: int = 6) -> str:
    """Return tokens with their texts, as evidence."""
    shown = ", ".join(f"{number} {subject.vocabulary.text(number)!r}" for number in tokens[:most])
    return shown + (" …" if len(tokens) > most else "")


def both(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Yield each probe that the renderer and the server render from the same messages: name, our prompt, the server's."""
    for name in REQUESTS:
        ours = subject.renderings[name].text if name in subject.renderings else None
        theirs = subject.served.text(name)
        if ours is not None and theirs is not None and not PROBES[name].get("$given"):
            yield name, ours, theirs


BASES = {"round-absent": "called", "developer": "system", "parts": "user", "answer-parts": "turns", "as-served": "user"}
"""Requests that are no probe -> the probe that must render for them to be judged."""


def failed(subject: Subject) -> Iterator[tuple[str, Reply]]:
    """Yield what the server could not render although the renderer can, and what it gave no answer to: name, its reply."""
    for name, reply in subject.served.replies.items():
        base = BASES.get(name, name)
        rendered = subject.renderings[base].text is not None and not PROBES[base].get("$given")
        if reply.text is None and (rendered or not reply.status):
            yield name, reply


def of_tools(name: str) -> bool:
    """Whether a request has tools."""
    return name in WITH_TOOLS or name in SHAPES


def severity_of(subject: Subject, name: str) -> Severity:
    """How bad it is that a request goes wrong: an error, for tools only where the spec asks for checks of them."""
    return Severity.WARNING if of_tools(name) and not asks_for_tools(subject) else Severity.ERROR


def apart(ours: str, theirs: str, around: int = 30, length: int = 60) -> tuple[str, str]:
    """Return the places at which two texts begin to differ, with what stands before."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
    start = max(0, at - around)
    return ours[start : at + length], theirs[start : at + length]


def without(word: str, ours: str, theirs: str, around: int = 20, length: int = 60) -> tuple[str, str]:
    """Return the place at which a word stands in our prompt, and the same place of the server's prompt, which lacks it; its
    end, where the server has nothing like it.
    """
    at = ours.index(word)
    before = ours[max(0, at - around) : at]
    place = theirs.find(before) if before else 0
    if place < 0:
        return ours[at - len(before) : at + length], theirs[-around - length :]
    return ours[at - len(before) : at + length], theirs[place : place + around + length]
