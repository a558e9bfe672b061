from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import PLAIN
from pipeline.lint.render import Rendering
from pipeline.lint.rules._base import Rule, without_template
from pipeline.lint.subject import Subject

CONVERSATION = {"user": "one user turn", "turns": "user, assistant, user"}


class TemplateFails(Rule):
    """The chat template does not parse, or fails on a plain conversation.

    Plain means one user turn, or user, assistant, user. With a template that does not parse the server refuses to
    start; with one that raises, every request is answered with an error. A template that takes too much time, memory
    or text to render is found here too.

    To mend it, correct the template at the position given and name it in the spec (`chat.template`), or take the
    publisher's current file.
    """

    code = "A102"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return without_template(subject)

    def check(self, subject: Subject) -> Iterable[Finding]:
        for name in PLAIN:
            rendering = subject.renderings[name]
            if rendering.text is None:
                yield self.finding(
                    _message(rendering, CONVERSATION[name]),
                    where=rendering.where,
                    evidence=rendering.error,
                    fix="correct it and name it in the spec (chat.template), or take the publisher's current file",
                )
                return


def _message(rendering: Rendering, conversation: str) -> str:
    error = rendering.error if len(rendering.error) <= 200 else f"{rendering.error[:200]}…"
    if rendering.kind == "syntax":
        return f"the chat template does not parse: {error}"
    if rendering.kind == "limit":
        return f"the chat template exhausts its limits on {conversation}: {error}"
    return f"the chat template fails on {conversation}: {error}"


RULE = TemplateFails()
