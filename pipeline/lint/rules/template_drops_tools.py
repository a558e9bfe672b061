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
    what llama-server passes to the template: arguments as an object or as text, content empty or null, whichever the
    template takes. About half of all models have templates without tools, so this is an info, and an error where the
    spec asks for checks of tools.

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
        rounds = [subject.renderings[name] for name in ROUNDS]
        texts = [rendering.text for rendering in rounds if rendering.text is not None]
        if not texts:
            first = rounds[0]
            message = f"the chat template fails on a tool call and its result: {first.error}"
            yield self.finding(message, where=first.where, evidence=first.error, fix=FIX, severity=severity)
            return
        for what, lost in (("calls", VALUE), ("results", RESULT)):
            if not any(lost in text for text in texts):
                evidence = f"{lost!r} is not in the prompt {texts[0]!r}"
                yield self.finding(
                    f"the chat template drops tool {what}",
                    where="chat_template",
                    evidence=evidence,
                    fix=FIX,
                    severity=severity,
                )


RULE = TemplateDropsTools()
