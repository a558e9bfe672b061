from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ARGUMENT, LIST, PLAIN
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

WORD = re.compile(r"(?<![\w.'\"`-])(None|True|False|Undefined)(?![\w'\"`-])")
OBJECT = re.compile(rf"\{{'({ARGUMENT}|{LIST}|type|name|function|role|text)'|\[\{{'")


class TemplatePrintsPython(TemplateRule):
    """The chat template prints `None`, `True` or an object as Python writes it, where text or JSON belongs.

    A `None` in a prompt is a value that is missing: the model reads it as a word. An object printed without `tojson`
    has single quotes, which no JSON reader takes back when the model imitates it. A warning where any conversation
    shows it; an info where it takes a tool call with such values (`true`, `null`, a list) or a tool without
    description.

    To mend it, print objects with `| tojson` and optional values only where they are given.
    """

    code = "A111"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        source = {match[0] for match in WORD.finditer(_literals(subject.template or ""))}
        for probe, severity in (
            *((name, Severity.WARNING) for name in (*PLAIN, "system", "tools", "called", "parallel", "called-before")),
            *((name, Severity.INFO) for name in ("undescribed", "unparameterized", "rich-call", "no-id")),
        ):
            text = subject.renderings[probe].text or ""
            words = [match for match in WORD.finditer(text) if match[0] not in source]
            objects = OBJECT.search(text)
            found = objects or (words[0] if words else None)
            if found:
                start = max(0, found.start() - 60)
                yield self.finding(
                    f"the chat template prints {'an object' if objects else found[0]} as Python writes it",
                    where="chat_template",
                    evidence=f"{probe}: the prompt has {text[start : found.end() + 40]!r}",
                    fix="print objects with tojson, and optional values only where they are given",
                    severity=severity,
                )
                return


def _literals(template: str) -> str:
    """Return what a template writes by itself: its text and its strings."""
    outside = re.sub(r"\{[{%#].*?[}%#]\}", " ", template, flags=re.DOTALL)
    strings = re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", template)
    return " ".join((outside, *(text[1:-1] for text in strings)))


RULE = TemplatePrintsPython()
