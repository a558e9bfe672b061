from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, RESULT, SECOND, VALUE
from pipeline.lint.rules._template import TEMPLATE_FIX, ToolRule, lost_severity
from pipeline.lint.subject import Subject

WORDS = {VALUE: "the call", RESULT: "its result", ANSWER: "the answer", SECOND: "the next question"}


class TemplateLosesOldCalls(ToolRule):
    """The chat template loses a tool call, its result or the answer once the conversation goes on.

    While a call is the last thing that happened it is in the prompt; after the answer and another question it is not.
    The model then doesn't know where its answer came from and calls again. A warning, and an error where the spec asks
    for checks of tools. A template that fails there answers every request after the first call with an error.

    To mend it, print calls and results wherever they stand in the conversation.
    """

    code = "A109"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        rendering = subject.renderings["called-before"]
        if rendering.text is None:
            yield self.finding(
                f"the chat template fails on a question after a tool call was answered: {rendering.error}",
                where=rendering.where,
                evidence=rendering.error,
                fix=TEMPLATE_FIX,
                severity=lost_severity(subject),
            )
            return
        before = (subject.renderings["turns"].text or "") + (subject.renderings["called"].text or "")
        lost = [word for word in WORDS if word in before and word not in rendering.text]
        if lost:
            yield self.finding(
                f"in a later turn the chat template loses {' and '.join(WORDS[word] for word in lost)}",
                where="chat_template",
                evidence=f"{lost[0]!r} is not in the prompt …{rendering.text[-150:]!r}",
                fix=TEMPLATE_FIX,
                severity=lost_severity(subject),
            )


RULE = TemplateLosesOldCalls()
