from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, SECOND, SYSTEM, USER
from pipeline.lint.rules._engine import ServedRule
from pipeline.lint.rules.template_drops_system import RULE as TEMPLATE_DROPS_SYSTEM
from pipeline.lint.rules.template_loses_text import RULE as TEMPLATE_LOSES_TEXT
from pipeline.lint.subject import Subject

SHAPES = {
    "developer": ((SYSTEM, USER), "a message of the role developer"),
    "parts": ((USER, SECOND), "a message whose content is a list of parts"),
    "answer-parts": ((USER, ANSWER, SECOND), "an answer whose content is a list of parts"),
}


class ClientShapesLost(ServedRule):
    """A message in a form that clients send is not in the prompt, and nobody is told.

    The OpenAI API calls the system turn `developer` since 2025, and lets the content of a message be a list of parts.
    llama-server turns both into what most templates take. Where a template is one that it leaves to itself, such a message
    may get lost without a word. Judged by the prompts of the real server.

    To mend it, let the client send plain text and the role `system`, or correct the template and name it in the spec
    (`chat.template`).
    """

    code = "A618"
    severity = Severity.WARNING
    behind = (TEMPLATE_LOSES_TEXT, TEMPLATE_DROPS_SYSTEM)

    def check(self, subject: Subject) -> Iterable[Finding]:
        plain = "".join(subject.served.text(name) or "" for name in ("turns", "system"))
        for name, (words, what) in SHAPES.items():
            prompt = subject.served.text(name)
            lost = [word for word in words if prompt is not None and word not in prompt and word in plain]
            if lost:
                yield self.finding(
                    f"{what} is lost in llama-server's prompt",
                    where="chat_template",
                    evidence=f"{lost[0]!r} is not in the prompt {prompt!r}",
                    fix="let the client send plain text and the role system, or correct the template",
                )
                return


RULE = ClientShapesLost()
