"""What rules share that judge by a playback: which lines they look at, and how they say what was said and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from pipeline.lint.evidence.grades import Grade, grade, short
from pipeline.lint.evidence.scenes import Take
from pipeline.lint.model import Finding, Severity, Stage
from pipeline.lint.rules._base import Rule, without_template
from pipeline.lint.rules._engine import told
from pipeline.lint.subject import Subject

LINES = {
    "answer": "a plain answer",
    "unended": "an answer without its end",
    "letters": "an answer with letters of many scripts",
    "bare": "a call as bare JSON",
    "thought": "thinking and an answer",
    "cut-thought": "thinking cut short",
    "call": "a call",
    "cut-call": "a call cut short",
    "marked": "a call with the template's own marker in an argument",
    "parallel": "two calls",
    "preamble": "an answer and a call",
    "three": "a call with three arguments",
    "flag": "a call with a boolean",
    "none": "a call without arguments",
    "quoted": "a call with quotes, a backslash and a line break in an argument",
    "thought-call": "thinking, an answer and a call",
}
"""Lines by name -> what they are, in words. The simplest come first."""

CALLS = ("call", "cut-call", "marked", "parallel", "preamble", "three", "flag", "none", "quoted", "thought-call")
"""Lines with calls."""

ELSEWHERE = "name a template in the spec (chat.template) that this engine reads, or use another engine"


class PlayedRule(Rule):
    """A rule on what llama-server makes of lines that the template's model would write: it finds those that got one of ``grades``.

    One finding tells of the simplest such line, and names the others. ``mild`` lines are worth knowing, no more.
    """

    stage = Stage.PLAYBACK
    grades: ClassVar[tuple[Grade, ...]]
    lines: ClassVar[tuple[str, ...]] = tuple(LINES)
    mild: ClassVar[tuple[str, ...]] = ()
    behind: ClassVar[tuple[Rule, ...]] = ()
    says: ClassVar[str]
    fix: ClassVar[str] = ELSEWHERE

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject) or subject.played.missing:
            return reason
        if not any(name in subject.played.takes for name in self.lines):
            return next(
                (subject.played.left_out[name] for name in self.lines if name in subject.played.left_out), ""
            ) or ("no such line can be played")
        return told(subject, self.behind)

    def faulty(self, subject: Subject) -> Iterator[tuple[Take, str]]:
        """Yield the takes that got such a grade, the simplest first, each with what came back. Where a plain answer, or a
        plain call, fails in another way, its rule tells it, and nothing more is said of such lines.
        """
        takes = subject.played.takes
        for name in LINES:
            take = takes.get(name) if name in self.lines else None
            if take is None or (graded := grade(take)) is None or graded[0] not in self.grades:
                continue
            simplest = takes.get("call" if take.scene.calls else "answer")
            first = grade(simplest) if simplest else None
            if first is None or first[0] in self.grades:
                yield take, graded[1]

    def check(self, subject: Subject) -> Iterable[Finding]:
        found = list(self.faulty(subject))
        grave = [(take, came) for take, came in found if not self.is_mild(take)]
        for group in (grave, [] if grave else found):
            if group:
                yield self._told(subject, group)

    def is_mild(self, take: Take) -> bool:
        """Whether a fault of this line is only worth knowing."""
        return take.scene.name in self.mild

    def severity_of(self, subject: Subject, take: Take) -> Severity:
        """How bad a fault of a line is."""
        return self.severity

    def _told(self, subject: Subject, group: list[tuple[Take, str]]) -> Finding:
        take, came = group[0]
        others = ", ".join(LINES[other.scene.name] for other, _ in group[1:])
        message = f"{self.says}: {LINES[take.scene.name]}" + (f" (so too: {others})" if others else "")
        return self.finding(
            message,
            where="chat_template",
            evidence=f"came back: {came}; written: {short(take.scene.text)}",
            fix=self.fix,
            severity=Severity.INFO if self.is_mild(take) else self.severity_of(subject, take),
        )
