from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.evidence.scenes import Take
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import CALLS, PlayedRule
from pipeline.lint.rules._template import lost_severity
from pipeline.lint.subject import Subject


class CallNotRead(PlayedRule):
    """A tool call in the template's own words is not read as a call.

    A body that plays a script wrote a call just as the template shows calls of earlier turns, and llama-server sent it on as
    plain content or as reasoning. A model that does what it was trained to do calls no tool: programs see text with markers
    in it, or JSON.

    To mend it, name a template in the spec (`chat.template`) whose calls the engine reads; a newer engine may read this one.
    """

    code = "A703"
    severity = Severity.WARNING
    grades = (Grade.UNREAD,)
    lines = CALLS
    says = "a tool call as the template writes it is not read as a call"

    def severity_of(self, subject: Subject, take: Take) -> Severity:
        return lost_severity(subject)


RULE = CallNotRead()
