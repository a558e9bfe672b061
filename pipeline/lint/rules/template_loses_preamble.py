from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import PREAMBLE, VALUE
from pipeline.lint.rules._template import TEMPLATE_FIX, ToolRule
from pipeline.lint.subject import Subject


class TemplateLosesPreamble(ToolRule):
    """The chat template loses what the assistant said before it called a tool.

    Models often explain a call before they make it. In the next turn that text is gone from the prompt, so the model
    repeats itself, and every token after it must be read anew as the prompt no longer matches the cache. Many publishers' own templates do
    this, as those of Llama 3. A template that fails on such a message is found here too.

    To mend it, print the content of an assistant's message also when it has tool calls.
    """

    code = "A107"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        rendering = subject.renderings["preamble"]
        if rendering.text is None:
            yield self.finding(
                f"the chat template fails on a call that comes with text: {rendering.error}",
                where=rendering.where,
                evidence=rendering.error,
                fix="allow content and tool_calls in one message",
            )
        elif PREAMBLE not in rendering.text and VALUE in rendering.text:
            start = max(0, rendering.text.index(VALUE) - 120)
            yield self.finding(
                "the chat template loses what the assistant said before a tool call",
                where="chat_template",
                evidence=f"{PREAMBLE!r} is not in the prompt …{rendering.text[start : start + 150]!r}",
                fix=TEMPLATE_FIX,
            )


RULE = TemplateLosesPreamble()
