from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import SECOND, USER
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class RolesMustAlternate(TemplateRule):
    """The chat template refuses two messages of the user in a row.

    Requests with such a conversation are answered with an error 500 (llama.cpp#19851). Agents and chat clients send
    them often: after a cancelled answer, or when they add a note of their own. A template that takes them but loses one
    without a word is a warning.

    To mend it, let the client join neighbouring messages of one role.
    """

    code = "A119"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        rendering = subject.renderings["asked-twice"]
        if rendering.text is None:
            yield self.finding(
                f"the chat template refuses two user messages in a row: {rendering.error}",
                where=rendering.where,
                evidence=rendering.error,
                fix="let the client join neighbouring messages of one role",
            )
            return
        lost = [word for word in (USER, SECOND) if word not in rendering.text]
        if lost and USER in (subject.renderings["turns"].text or ""):
            yield self.finding(
                "of two user messages in a row the chat template loses one",
                where="chat_template",
                evidence=f"{lost[0]!r} is not in the prompt {rendering.text!r}",
                fix="let the client join neighbouring messages of one role",
                severity=Severity.WARNING,
            )


RULE = RolesMustAlternate()
