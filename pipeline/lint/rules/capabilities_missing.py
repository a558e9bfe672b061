from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import TOOL
from pipeline.lint.rules._engine import ServedRule
from pipeline.lint.rules._template import asks_for_tools
from pipeline.lint.rules.server_loses_text import RULE as SERVER_LOSES_TEXT
from pipeline.lint.rules.server_refuses_conversation import RULE as SERVER_REFUSES_CONVERSATION
from pipeline.lint.rules.template_drops_tools import RULE as TEMPLATE_DROPS_TOOLS
from pipeline.lint.rules.template_fails import RULE as TEMPLATE_FAILS
from pipeline.lint.subject import Subject

CALLS = "tool calls"
CAPS = {"supports_tools": "tools", "supports_tool_calls": CALLS}


class CapabilitiesMissing(ServedRule):
    """llama-server takes a model with tools for one without.

    The server looks at the template as it starts and says in `/props` (`chat_template_caps`) what it found. Where it sees
    no tool calls in a template that has tools, it does not look for calls in answers as the model writes them, and agents
    get them as text: an error where the spec asks for checks of tools. Else an info, and where only the tools' declaration
    is not seen: then calls are read all the same.

    To mend it, take a template whose calls and results the server sees: the publisher's current one, or its family's; name
    it in the spec (`chat.template`).
    """

    code = "A616"
    severity = Severity.ERROR
    behind = (TEMPLATE_FAILS, TEMPLATE_DROPS_TOOLS, SERVER_REFUSES_CONVERSATION, SERVER_LOSES_TEXT)

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        if TOOL not in (subject.renderings["tools"].text or ""):
            return "the chat template has no tools"
        return "" if subject.served.caps else "the server does not say what the template can do"

    def check(self, subject: Subject) -> Iterable[Finding]:
        caps = subject.served.caps
        missing = [what for cap, what in CAPS.items() if caps.get(cap) is False]
        if missing:
            shown = ", ".join(f"{cap}: {str(caps.get(cap)).lower()}" for cap in CAPS)
            yield self.finding(
                f"llama-server sees no {' and no '.join(missing)} in the chat template, which has tools",
                where="chat_template",
                evidence=f"/props says {shown}",
                fix="name a template in the spec (chat.template) whose calls and results the server sees",
                severity=Severity.ERROR if asks_for_tools(subject) and CALLS in missing else Severity.INFO,
            )


RULE = CapabilitiesMissing()
