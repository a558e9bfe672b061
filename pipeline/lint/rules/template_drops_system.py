from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import SYSTEM
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

FIX = "put the system turn into the template, or put the instructions into the first user message"


class TemplateDropsSystem(TemplateRule):
    """The chat template loses the system turn.

    llama-server pastes the system text in front of the first user message when it sees that a template does not read
    it, so the text arrives, but as the user's words, and other engines lose it: a warning. A template that refuses a
    system turn and says so (as Gemma 2 does) is an info. Text that is lost even when it comes with the user's message
    is an error.

    To mend it, put the system turn into the template.
    """

    code = "A104"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        rendering, merged = subject.renderings["system"], subject.renderings["merged"]
        if rendering.text is not None and SYSTEM in rendering.text:
            return
        refused = rendering.text is None
        what = f"refuses a system turn: {rendering.error}" if refused else "drops the system turn without a word"
        if merged.text is not None and SYSTEM in merged.text:
            severity, then = (
                (Severity.INFO if refused else Severity.WARNING),
                "llama-server pastes it before the first user message",
            )
        else:
            severity, then = Severity.ERROR, "and the user's message does not come through either"
        yield self.finding(
            f"the chat template {what}; {then}",
            where=rendering.where,
            evidence=f"system {SYSTEM!r} gives the prompt {rendering.text!r}" if not refused else rendering.error,
            fix=FIX,
            severity=severity,
        )


RULE = TemplateDropsSystem()
