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
    has single quotes, which no JSON reader takes back when the model imitates it. llama-server prints them as Python
    does. A warning where messages or calls show it; an info where it takes a call with such values (`true`, `null`, a
    list), and for the list of tools, which some models were trained to read so.

    To mend it, print objects with `| tojson` and optional values only where they are given.
    """

    code = "A111"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        own = {match[0] for match in WORD.finditer(_literals(subject.template or ""))}
        tools = OBJECT.search(subject.renderings["tools"].text or "")
        for probe, severity in (
            *((name, Severity.WARNING) for name in (*PLAIN, "system", "called", "parallel", "called-before")),
            *((name, Severity.INFO) for name in ("tools", "undescribed", "unparameterized", "rich-call", "no-id")),
        ):
            text = subject.renderings[probe].text or ""
            objects = OBJECT.search(text)
            if tools and objects and objects[0] == tools[0]:
                severity = Severity.INFO
            found = objects or next((match for match in WORD.finditer(text) if match[0] not in own), None)
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
