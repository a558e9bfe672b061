from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._template import ScanRule, place, sources, uses
from pipeline.lint.subject import Subject

LINK = re.compile(r"https?://[^\s'\"<>]+|<script|<img|<iframe", re.IGNORECASE)
ORDER = re.compile(
    r"\b(?:ignore (?:all|any|the|previous|prior)|disregard|do not (?:tell|mention|reveal)|never (?:tell|mention|reveal)"
    r"|(?:always|must|should) (?:recommend|include|add|insert|use|append|answer|say|reply))\b",
    re.IGNORECASE,
)


class ConditionalInstructions(ScanRule):
    """The chat template adds a link or an instruction when a message contains certain words.

    A template that looks for words in what users write, and then tells the model what to do, is a back door that no
    test of the weights finds: the model behaves well until the words come. Checking messages for markers
    (`<think>`, `<<SYS>>`) is common and left alone.

    To mend it, read the branch. If it is not what the publisher wrote, don't use this file.
    """

    code = "A503"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        for source in sources(subject):
            for use in uses(subject, source):
                if use.kind != "condition" or not isinstance(use.detail, str):
                    continue
                found = LINK.search(use.detail) or ORDER.search(use.detail)
                if found:
                    yield self.finding(
                        f"when a message contains {use.name!r}, the chat template adds an instruction or a link",
                        where=place(source, use.line, (use.name,)),
                        evidence=use.detail[max(0, found.start() - 60) :],
                        fix="read the branch; if the publisher did not write it, do not use this file",
                    )


RULE = ConditionalInstructions()
