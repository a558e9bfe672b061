from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.errors import UsageError
from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.lint.model import DATE, TODAY, Finding, Mend, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import shared
from pipeline.lint.subject import Subject
from pipeline.lock.clock import pinned


class TemplateReadsClock(TemplateRule):
    """The chat template puts today's date into the prompt.

    The same request gives another prompt tomorrow: answers can't be reproduced, results of different days are not
    comparable, and caches start anew at midnight. llama-server takes the day from the clock of its own time zone.

    To mend it, name the day in the spec (`chat.date`): the lock then holds the template with that day in it, and it is
    what is tested and served. `assay fix NAME --code A118` writes today's.
    """

    code = "A118"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        today, later = subject.renderings["system"].text, subject.renderings["later"].text
        if today is None or later is None or today == later:
            return
        place = shared(today, later)
        yield self.finding(
            "the prompt depends on the day on which it is made",
            where="chat_template",
            evidence=f"one day {today[max(0, place - 30) : place + 20]!r}, another {later[max(0, place - 30) : place + 20]!r}",
            fix="name the day in the spec (chat.date)",
            mend=_day(subject),
        )


def _day(subject: Subject) -> Mend | None:
    """Return the mend that pins today, where the template lets its day be pinned and is the only one."""
    if isinstance(subject.header.metadata.get(f"{TEMPLATE_KEY}.tool_use"), str):
        return None
    try:
        pinned(subject.template or "", "2026-01-15")
    except UsageError:
        return None
    return Mend(DATE, TODAY)


RULE = TemplateReadsClock()
