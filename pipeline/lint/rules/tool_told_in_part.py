from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ARGUMENT, BRANCH, CHOICE, DEFINED, INNER, MEANING, PURPOSE, TOOL
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import TEMPLATE_FIX, lost_severity
from pipeline.lint.subject import Subject

PARTS = {
    PURPOSE: "its description",
    ARGUMENT: "its parameters",
    MEANING: "what a parameter means (description)",
    CHOICE: "the values that a parameter may have (enum)",
    INNER: "the parts of a parameter that is an object (properties)",
}
LINKED = {BRANCH: "what a parameter may be (anyOf)", DEFINED: "what $ref refers to ($defs)"}


class ToolToldInPart(TemplateRule):
    """The chat template names a tool, but leaves out its description, its parameters or the values they may have.

    The model can only guess when to call the tool and what to pass: it invents parameters, or values that the client
    refuses. Templates that write schemas out part by part, in words or as TypeScript, forget what their author did not
    use; those that print JSON keep everything. An error where the spec asks for checks of tools, else a warning;
    an info for what stands in `anyOf` or `$defs`, which one template with tools in ten leaves out.

    To mend it, print what is missing, or the whole schema as JSON, if the model was trained on that; or describe tools so
    that nothing needs it: values in the description, objects flat, references resolved.
    """

    code = "A127"
    severity = Severity.WARNING

    def skip(self, subject: Subject) -> str:
        if why := super().skip(subject):
            return why
        return "" if TOOL in (subject.renderings["tools"].text or "") else "the chat template has no tools"

    def check(self, subject: Subject) -> Iterable[Finding]:
        for probe, words, severity in (
            ("schema", PARTS, lost_severity(subject)),
            ("linked-schema", LINKED, Severity.INFO),
        ):
            prompt = subject.renderings[probe].text or ""
            lost = [word for word in words if word not in prompt]
            if TOOL not in prompt or not lost or (probe != "schema" and ARGUMENT not in prompt):
                continue
            at = max(0, prompt.index(TOOL) - 20)
            yield self.finding(
                f"the chat template names a tool, but leaves out {', '.join(words[word] for word in lost)}",
                where="chat_template",
                evidence=f"{lost[0]!r} is not in the prompt, which has {prompt[at : at + 130]!r}",
                fix=f"print the whole schema, or describe tools without what is left out; {TEMPLATE_FIX}",
                severity=severity,
            )


RULE = ToolToldInPart()
