from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import ServedRule, apart
from pipeline.lint.subject import Subject
from pipeline.runtime.patches import as_served


class ServerChangesTemplate(ServedRule):
    """llama-server uses another chat template than the one it is given.

    The server has patches for texts of known templates, which it applies as it starts (an info: they take out messages
    of an error that clients can't avoid). A template that is only the word `chatml`, or that it can't find, is replaced by
    ChatML, whatever the model was trained on: an error. Judged by the template that the server shows in `/props`.

    To mend it, put the template itself into the file or the spec (`chat.template`).
    """

    code = "A617"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        return "" if "chat_template" in subject.served.props else "the server does not show its template"

    def check(self, subject: Subject) -> Iterable[Finding]:
        given, used = (subject.template or "").replace("\r\n", "\n"), str(subject.served.props["chat_template"])
        if used == given.removesuffix("\n"):
            return
        patched = used == as_served(given)
        ours, theirs = apart(given, used)
        yield self.finding(
            "llama-server patches the chat template" if patched else "llama-server uses another chat template",
            where="chat_template",
            evidence=f"it is given {ours!r} and uses {theirs!r}",
            fix="nothing, the server knows this template"
            if patched
            else "name the template in the spec (chat.template)",
            severity=Severity.INFO if patched else Severity.ERROR,
        )


RULE = ServerChangesTemplate()
