from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import PLAIN
from pipeline.lint.rules._engine import ServedRule, failed, of_tools
from pipeline.lint.rules._template import asks_for_tools
from pipeline.lint.rules.engine_lacks_feature import RULE as ENGINE_LACKS_FEATURE
from pipeline.lint.subject import Subject

RARE = ("developer", "parts", "answer-parts", "no-id", "system-later", "asked-twice", "as-served")


class ServerRefusesConversation(ServedRule):
    """llama-server answers a conversation with an error, although the template renders it.

    llama-server has a Jinja of its own, which is stricter than jinja2 with what is undefined and with arguments of
    macros, and it tries the template on each request anew. A template may work everywhere else and fail here, often
    only with a system turn, with tools, or once a tool was called. An error for what every chat sends; a warning for
    requests with tools (an error where the spec asks for checks of them); an info for rarer shapes.

    To mend it, correct the template at what the message names (often a test with `is defined`), and name it in the spec
    (`chat.template`).
    """

    code = "A613"
    severity = Severity.ERROR
    behind = (ENGINE_LACKS_FEATURE,)

    def check(self, subject: Subject) -> Iterable[Finding]:
        found = sorted(failed(subject), key=lambda item: -_severity(subject, item[0]).rank)
        if not found:
            if subject.served.lost:
                yield self.finding(
                    f"llama-server ended while it was asked for answers: {subject.served.lost}",
                    where="chat_template",
                    evidence=next((one.error for one in subject.served.generations.values() if not one.status), "")
                    or subject.served.lost,
                    fix="use the template that belongs to this vocabulary, or another engine",
                )
            return
        name, reply = found[0]
        others = [other for other, _ in found[1:]]
        also = f" (also: {', '.join(others)})" if others else ""
        died = f"; the server ended: {subject.served.lost}" if subject.served.lost else ""
        yield self.finding(
            f"llama-server fails on the conversation {name!r}{also}: {reply.words}{died}",
            where="chat_template",
            evidence=reply.words if reply.status == 0 else f"status {reply.status}: {reply.words}",
            fix="correct the template at what the message names, and name it in the spec (chat.template)",
            severity=_severity(subject, name),
        )


def _severity(subject: Subject, name: str) -> Severity:
    if subject.served.lost or subject.served.replies[name].status == 0 or name in (*PLAIN, "system"):
        return Severity.ERROR
    if name in RARE:
        return Severity.INFO
    if of_tools(name):
        return Severity.ERROR if asks_for_tools(subject) else Severity.WARNING
    return Severity.WARNING


RULE = ServerRefusesConversation()
