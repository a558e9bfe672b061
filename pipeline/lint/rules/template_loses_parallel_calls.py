from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import OTHER_RESULT, OTHER_VALUE, RESULT, VALUE
from pipeline.lint.rules._template import TEMPLATE_FIX, ToolRule, asks_for_tools
from pipeline.lint.subject import Subject

WORDS = {
    VALUE: "the first call",
    OTHER_VALUE: "the second call",
    RESULT: "the first result",
    OTHER_RESULT: "the second result",
}


class TemplateLosesParallelCalls(ToolRule):
    """The chat template loses one of two tool calls that were made at once, or its result.

    The model then sees a result without a call, or believes that it asked for one thing only, and calls again. A
    template that refuses two calls and says so (as Llama 3.1's does) is an info, and a warning where the spec asks for
    checks of tools: the request fails with an error that names the reason.

    To mend it, loop over all of `message.tool_calls`; or set `parallel_tool_calls` to false in requests.
    """

    code = "A108"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        rendering = subject.renderings["parallel"]
        if rendering.text is None:
            yield self.finding(
                f"the chat template fails on two calls at once: {rendering.error}",
                where=rendering.where,
                evidence=rendering.error,
                fix="loop over all of message.tool_calls, or set parallel_tool_calls to false in requests",
                severity=Severity.WARNING if asks_for_tools(subject) else Severity.INFO,
            )
            return
        lost = [word for word in WORDS if word not in rendering.text]
        if lost:
            yield self.finding(
                f"of two calls at once the chat template loses {' and '.join(WORDS[word] for word in lost)}",
                where="chat_template",
                evidence=f"{lost[0]!r} is not in the prompt …{rendering.text[-150:]!r}",
                fix=f"loop over all of message.tool_calls; {TEMPLATE_FIX}",
            )


RULE = TemplateLosesParallelCalls()
