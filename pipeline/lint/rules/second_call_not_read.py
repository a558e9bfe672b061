from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.model import Severity
from pipeline.lint.rules import call_not_read
from pipeline.lint.rules._played import PlayedRule


class SecondCallNotRead(PlayedRule):
    """Of two tool calls in one answer, as the template writes them, not both are read.

    The engine reads the first call and loses the second, or what comes of it is another. A model that calls two tools at once
    gets one result and waits, or calls again.

    To mend it, send `parallel_tool_calls: false` in requests, or name a template in the spec (`chat.template`) that writes
    calls as the engine reads them.
    """

    code = "A704"
    severity = Severity.WARNING
    grades = (Grade.PARALLEL,)
    lines = ("parallel",)
    says = "of several tool calls not all are read"
    behind = (call_not_read.RULE,)
    fix = "send parallel_tool_calls: false, or name a template in the spec (chat.template) whose calls the engine reads"


RULE = SecondCallNotRead()
