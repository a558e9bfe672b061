from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import shared
from pipeline.lint.subject import Subject


class TemplateReadsClock(TemplateRule):
    """The chat template puts today's date into the prompt.

    The same request gives another prompt tomorrow: answers can't be reproduced, results of different days are not
    comparable, and caches start anew at midnight. llama-server takes the day from the clock of its own time zone.

    To mend it, give the date in requests where it must stand still (`chat_template_kwargs`, often `date_string`), or
    write it into the template.
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
            fix="give the date in chat_template_kwargs, or write it into the template",
        )


RULE = TemplateReadsClock()
