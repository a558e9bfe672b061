from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule, without_template
from pipeline.lint.rules._template import TOOL_USE
from pipeline.lint.subject import Subject


class NamedTemplates(Rule):
    """The file has more chat templates than one, and requests with tools get another than requests without.

    llama-server takes `tokenizer.chat_template.tool_use` when a request has tools, and the first template otherwise; if
    there is no other, `tool_use` serves for all. It never takes the rest. A `tool_use` that does not parse is left out,
    and tools go to the template without: an error. Other engines take the first one for everything.

    To mend it, name the template that you want in the spec (`chat.template`): it replaces them all.
    """

    code = "A122"
    severity = Severity.INFO

    def skip(self, subject: Subject) -> str:
        return without_template(subject)

    def check(self, subject: Subject) -> Iterable[Finding]:
        key = f"{TEMPLATE_KEY}.{TOOL_USE}"
        own = subject.template == subject.facts.chat_template
        if TOOL_USE not in subject.facts.template_names or not own:
            return
        named, scanned = subject.header.metadata.get(key), subject.renderings["scan-tools"]
        if scanned.kind == "syntax":
            yield self.finding(
                f"the template for tools does not parse: {scanned.error}",
                where=key,
                evidence=scanned.error,
                fix="correct it, or name one template for all in the spec (chat.template)",
                severity=Severity.ERROR,
            )
        elif named != subject.template:
            others = [name for name in subject.facts.template_names if name != TOOL_USE]
            rest = f"; {', '.join(others)} are never used" if others else ""
            yield self.finding(
                "requests with tools get another chat template than requests without" + rest,
                where=key,
                evidence=f"llama-server takes {key} for them",
                fix="nothing, if that is meant; else name one template for all in the spec (chat.template)",
            )


RULE = NamedTemplates()
