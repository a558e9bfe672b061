from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import RESULT, ROUNDS, TOOL, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

FIX = "name a template that has tools in the spec (chat.template): the publisher's current one, or its family's"


class TemplateDropsTools(TemplateRule):
    """The chat template drops tools: their declaration, the calls made, or their results.

    The model then never learns which tools there are, or forgets that it called one and what came of it. Judged on
    what llama-server passes to the template: arguments as an object or as text, content empty, null or a list of parts,
    whichever the template takes. About half of all models have templates without tools, so that alone is an info, and
    an error where the spec asks for checks of tools. A template that has tools and loses calls is at fault in any case
    (a warning), and one that shows a call and loses what came of it leaves the model to invent the result (an error).

    To mend it, take a template that has tools; if the model was not trained on any, drop the checks of tools from the
    spec.
    """

    code = "A105"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        spec = subject.spec
        claimed = spec is not None and any("tool" in name for name in (*spec.checks, *spec.gates.groups))
        severity = Severity.ERROR if claimed else Severity.INFO
        declared = subject.renderings["tools"]
        if declared.text is None or TOOL not in declared.text:
            why = f" (it fails: {declared.error})" if declared.text is None else ""
            evidence = (
                f"the tool {TOOL!r} is not in the prompt {declared.text!r}"
                if declared.text is not None
                else declared.error
            )
            yield self.finding(
                f"the chat template drops tools{why}",
                where=declared.where,
                evidence=evidence,
                fix=FIX,
                severity=severity,
            )
            return
        rounds = [subject.renderings[name] for name in (*ROUNDS, "called")]
        texts = [rendering.text for rendering in rounds if rendering.text is not None]
        if not texts:
            first = rounds[0]
            message = f"the chat template fails on a tool call and its result: {first.error}"
            worse = Severity.ERROR if claimed else Severity.WARNING
            yield self.finding(message, where=first.where, evidence=first.error, fix=FIX, severity=worse)
            return
        if not any(VALUE in text for text in texts):
            yield self.finding(
                "the chat template drops tool calls: in the next turn the model doesn't know that it called one",
                where="chat_template",
                evidence=f"the call's argument {VALUE!r} is not in the prompt, which ends {texts[0][-150:]!r}",
                fix=FIX,
                severity=Severity.ERROR if claimed else Severity.WARNING,
            )
        if not any(RESULT in text for text in texts):
            after = texts[0][texts[0].rfind(VALUE) :] if VALUE in texts[0] else texts[0][-150:]
            yield self.finding(
                "the chat template drops tool results: the model never learns what a tool that it called returned",
                where="chat_template",
                evidence=f"the result {RESULT!r} is nowhere in the prompt; after the call it goes on {after[:150]!r}",
                fix=FIX,
            )


RULE = TemplateDropsTools()
