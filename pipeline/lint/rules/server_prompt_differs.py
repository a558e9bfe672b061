from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipeline.lint.evidence.requests import REQUESTS
from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import THOUGHT
from pipeline.lint.rules._engine import OTHERWISE, ServedRule, apart, both
from pipeline.lint.rules._template import lost_severity
from pipeline.lint.rules.arguments_encoded_twice import TWICE
from pipeline.lint.rules.capabilities_missing import RULE as CAPABILITIES_MISSING
from pipeline.lint.rules.server_loses_text import RULE as SERVER_LOSES_TEXT
from pipeline.lint.rules.template_prints_python import RULE as TEMPLATE_PRINTS_PYTHON
from pipeline.lint.rules.undefined_bos import RULE as UNDEFINED_BOS
from pipeline.lint.subject import Subject

CLOCK = "strftime_now"
DATE = re.compile(
    r"\d+|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b"
)
ELSEWHERE = ("rich-call", "declined")


class ServerPromptDiffers(ServedRule):
    r"""llama-server makes another prompt of a conversation than the same template gives in jinja2.

    What is known is left out: BOS and EOS that the server takes away, a system turn pasted into the user's, reasoning of
    earlier turns that it keeps or passes under another name, a generation prompt that it adds, `None` and `True` in
    arguments, dates. What remains is a difference between two readings of one template (`'a  b'.split()`, `-7 % 3`,
    `lower` beyond ASCII), or a rewrite for a model family that the template only resembles: the model gets a form that
    its publisher never saw. Arguments of tool calls that only the server encodes twice (`"{\"city\": …`) are an error
    where the spec asks for checks of tools, since models imitate them.

    To mend it, compare both prompts and write the template so that they agree; name it in the spec (`chat.template`).
    """

    code = "A614"
    severity = Severity.WARNING
    behind = (UNDEFINED_BOS, TEMPLATE_PRINTS_PYTHON, SERVER_LOSES_TEXT, CAPABILITIES_MISSING)

    def check(self, subject: Subject) -> Iterable[Finding]:
        found = list(_different(subject))
        if not found:
            return
        twice = [item for item in found if any(sign in item[2] and sign not in item[1] for sign in TWICE)]
        name, ours, theirs = (twice or found)[0]
        others = [other for other, *_ in found if other != name]
        also = f" (also: {', '.join(others)})" if others else ""
        one, other = apart(ours, theirs)
        yield self.finding(
            (f"in {name!r} llama-server encodes the arguments of tool calls twice" if twice else "")
            or f"llama-server's prompt of the conversation {name!r} is not the template's{also}",
            where="chat_template",
            evidence=f"jinja2 gives {one!r}, llama-server {other!r}",
            fix=OTHERWISE,
            severity=lost_severity(subject) if twice else Severity.WARNING,
        )


def _different(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Yield the conversations whose prompts differ beyond what is known."""
    caps = subject.served.caps
    for name, ours, theirs in both(subject):
        messages = REQUESTS[name]["messages"]
        if caps.get("supports_preserve_reasoning") and any(message["role"] == "assistant" for message in messages):
            continue
        if not caps.get("supports_system_role", True) and messages[0]["role"] == "system":
            continue
        one, other = _bare(subject, ours), _bare(subject, theirs)
        known = other.startswith(one) or (THOUGHT in other and THOUGHT not in one)
        if one != other and not known and name not in ELSEWHERE:
            yield name, one, other


def _bare(subject: Subject, prompt: str) -> str:
    """Return a prompt without the BOS at its beginning and the EOS at its end; without dates where the template reads the
    clock, which is the server's own.
    """
    bare = prompt.removeprefix(subject.facts.bos_token or "").removesuffix(subject.facts.eos_token or "")
    return DATE.sub("#", bare) if CLOCK in (subject.template or "") else bare


RULE = ServerPromptDiffers()
