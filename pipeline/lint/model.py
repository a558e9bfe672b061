"""What lint finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is: ``error`` breaks answers, ``warning`` may, ``info`` is worth knowing."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)


class Stage(StrEnum):
    """What a rule judges by, the cheapest first. ``header``: the bytes before the weights, no engine. ``vocabulary``: the
    engine's own reading of the vocabulary. ``hollow``: the real llama-server with this file's tokenizer and template and
    a tiny random body. ``playback``: the same with a body that says what a script wants. None needs the weights.
    """

    HEADER = "header"
    VOCABULARY = "vocabulary"
    HOLLOW = "hollow"
    PLAYBACK = "playback"

    @property
    def rank(self) -> int:
        """0 for header to 3 for playback."""
        return list(Stage).index(self)


UNASKED = "the engine is here, but could not be asked: "
"""How a reason begins that has nothing to do with the file, as far as is known: another try may tell."""


@dataclass(frozen=True)
class NotJudged:
    """A rule that could not judge, and why. That is not clean."""

    code: str
    reason: str

    @property
    def unasked(self) -> bool:
        """Whether the rule is meant for the file, and what it judges by could not be had."""
        return self.reason.startswith(UNASKED)


TODAY = "today"


@dataclass(frozen=True)
class Mend:
    """A safe change of the spec that takes a finding away: the ``value``, plain JSON, that belongs at ``path``. A mapping is
    merged into what stands there; ``TODAY`` stands for the day on which it is written. Where ``path`` is the chat
    template's, ``value`` is the text of a template.
    """

    path: tuple[str, ...]
    value: Any = field(hash=False)


OVERRIDES, TEMPLATE, DATE = ("engine", "overrides"), ("chat", "template"), ("chat", "date")


@dataclass(frozen=True)
class Finding:
    """One fault.

    ``where`` is a metadata key, a template position (``chat_template:3:14``) or a spec position; ``evidence`` is the
    exact text, token or value seen; ``fix`` says what to change, ``mend`` is that as a change of the spec where it is
    safe and no judgement is needed.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    evidence: str = ""
    fix: str = ""
    mend: Mend | None = None


def above(findings: Iterable[Finding], allowed: str) -> tuple[Finding, ...]:
    """Return the findings that are graver than the worst severity that is ``allowed``; ``none`` allows no finding."""
    limit = -1 if allowed == "none" else Severity(allowed).rank
    return tuple(finding for finding in findings if finding.severity.rank > limit)
