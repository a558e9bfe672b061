from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import CALLS, PlayedRule


class CallChanged(PlayedRule):
    """A tool call comes out with another name or other arguments than were written.

    A body that plays a script wrote calls just as the template shows them. Either the template writes what can't be read back
    (a quoted text in which quotes are not escaped, `True` for a boolean), or the engine's grammar for this template forbids
    a part of it and bends the model's words to what it allows. Programs get wrong arguments. A marker of the template's own
    within an argument, and booleans, are told as worth knowing.

    To mend it, correct how the template writes arguments (`tojson`) and name it in the spec (`chat.template`).
    """

    code = "A705"
    severity = Severity.WARNING
    grades = (Grade.ARGUMENT,)
    lines = CALLS
    says = "a tool call comes out changed"
    mild = ("marked", "flag")
    fix = "write arguments with tojson in the template and name it in the spec (chat.template), or use another engine"


RULE = CallChanged()
