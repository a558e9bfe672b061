from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import SYSTEM
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class LaterSystemTurn(TemplateRule):
    """The chat template loses or refuses a system turn that is not the first message.

    Some clients send instructions in the middle of a conversation. Here they are lost without a word, or the request
    fails. A quarter of all templates do so. Where the first message is the system turn, nothing is lost.

    To mend it, send all instructions in the first message.
    """

    code = "A120"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        first, later = subject.renderings["system"].text, subject.renderings["system-later"]
        if first is None or SYSTEM not in first:
            return
        if later.text is None or SYSTEM not in later.text:
            how = f"refuses: {later.error}" if later.text is None else "loses without a word"
            yield self.finding(
                f"a system turn that is not the first message the chat template {how}",
                where=later.where,
                evidence=later.error or f"{SYSTEM!r} is not in the prompt {later.text!r}",
                fix="send all instructions in the first message",
            )


RULE = LaterSystemTurn()
