from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ARGUMENT
from pipeline.lint.rules._template import ToolRule, lost_severity
from pipeline.lint.subject import Subject

TWICE = (f'\\"{ARGUMENT}\\"', '{{"' + ARGUMENT)
FIX = "print arguments as they are when they are a string, else with tojson: {{ args if args is string else args|tojson }}"


class ArgumentsEncodedTwice(ToolRule):
    r"""The arguments of a tool call stand in the prompt as JSON within JSON: `"{\"city\": \"Rome\"}"`.

    The model imitates what it sees and calls tools with a string full of backslashes (llama.cpp#19520). llama-server
    passes arguments as an object where the template takes them, and that is what is judged. If only the text that other
    engines pass is encoded twice, the finding is an info.

    To mend it, print arguments with `tojson` only when they are not a string already.
    """

    code = "A110"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        for probe, severity, whose in (
            ("called", lost_severity(subject), "llama-server"),
            ("round-text", Severity.INFO, "engines that pass arguments as text; llama-server does not"),
        ):
            text = subject.renderings[probe].text or ""
            found = next((sign for sign in TWICE if sign in text), None)
            if found:
                start = max(0, text.index(found) - 60)
                yield self.finding(
                    f"arguments of tool calls are encoded twice by {whose}",
                    where="chat_template",
                    evidence=f"the prompt has {text[start : start + 120]!r}",
                    fix=FIX,
                    severity=severity,
                )
                return


RULE = ArgumentsEncodedTwice()
