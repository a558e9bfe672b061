from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.evidence.hollow import Reply
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import ServedRule
from pipeline.lint.rules._template import asks_for_tools
from pipeline.lint.rules.end_token import RULE as END_TOKEN
from pipeline.lint.rules.marker_split import RULE as MARKER_SPLIT
from pipeline.lint.rules.server_refuses_conversation import RULE as SERVER_REFUSES_CONVERSATION
from pipeline.lint.rules.template_drops_tools import RULE as TEMPLATE_DROPS_TOOLS
from pipeline.lint.subject import Subject

ANSWER_ONLY = "does not match the expected"


class ToolRequestsFail(ServedRule):
    """llama-server refuses requests with tools before the model says a word.

    The server makes a grammar of the tools and lets it read the beginning of the answer that the template opens. With a
    vocabulary that splits this beginning otherwise than the grammar expects, it fails ("Failed to initialize samplers"),
    and so does every request that demands a call; or it fails on schemas that clients use (`pattern`, `format`, `$ref`,
    `anyOf`, unions with null). Judged by the real server with the file's own vocabulary and template. An error where the
    spec asks for checks of tools, else a warning; a warning where only rich schemas fail.

    To mend it, use the template that belongs to this vocabulary, or plain schemas.
    """

    code = "A619"
    severity = Severity.ERROR
    behind = (END_TOKEN, MARKER_SPLIT, TEMPLATE_DROPS_TOOLS, SERVER_REFUSES_CONVERSATION)

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        plain = subject.served.generations.get("plain")
        return "" if plain and not _refused(plain) else "the server does not begin a plain answer"

    def check(self, subject: Subject) -> Iterable[Finding]:
        asked = asks_for_tools(subject)
        for name, what, severity in (
            ("call", "a request that demands a tool call", Severity.ERROR if asked else Severity.WARNING),
            ("rich-schema", "tools with rich schemas (pattern, format, $ref, anyOf, null)", Severity.WARNING),
        ):
            reply = subject.served.generations.get(name)
            if reply and _refused(reply):
                yield self.finding(
                    f"llama-server refuses {what}: {reply.words}",
                    where="chat_template",
                    evidence=f"status {reply.status}: {reply.words}" if reply.status else reply.words,
                    fix="use the template that belongs to this vocabulary, or plain schemas",
                    severity=severity,
                )
                return


def _refused(reply: Reply) -> bool:
    """Whether no answer was begun. An empty body's answer need not have the form that the template's parser expects."""
    return reply.text is None and ANSWER_ONLY not in reply.error


RULE = ToolRequestsFail()
