from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._template import ScanRule, place, sources, uses
from pipeline.lint.subject import Subject

REVERSED = re.compile(r"\{%[-+]?\s*for\s[^%]{1,200}?\sin\s[^%]{0,200}?(\[::-1\])")
GUARDED = re.compile(r"strftime_now\s+is\s+(?:not\s+)?defined")
NAMED = ("ensure_ascii", "separators")


class OtherEnginesLack(ScanRule):
    """llama.cpp takes the chat template, but other engines that people have at hand do not.

    A template that is tested here and used there fails there, or every prompt does. Known to be missed: `strftime_now`,
    which some engines don't define (text-generation-webui#6675); arguments of `tojson` by name, such as `ensure_ascii`
    (opencode#4049, tabbyAPI#404, sglang#13722); a loop over a list that is turned round, `messages[::-1]`
    (lmstudio-bug-tracker#535). Newer versions of these engines may have learnt it. An info: for llama-server nothing is
    wrong.

    To mend it, if the file is for others too: ask `strftime_now is defined` first, write `tojson` without names, and
    `messages | reverse`.
    """

    code = "A129"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        for source in sources(subject):
            found = dict[str, tuple[int, str]]()
            for use in uses(subject, source):
                if use.kind == "call" and use.name == "strftime_now" and not GUARDED.search(source.text):
                    found.setdefault("strftime_now", (use.line, "strftime_now"))
                elif use.kind == "filter" and use.name == "tojson":
                    for name in NAMED:
                        if name in use.detail["named"]:
                            found.setdefault(f"{name} in tojson", (use.line, name))
            if turned := REVERSED.search(source.text):
                found["a loop over [::-1]"] = (source.text.count("\n", 0, turned.start(1)) + 1, "[::-1]")
            for what, (line, near) in found.items():
                yield self.finding(
                    f"some other engines lack {what}: there the template may fail; llama-server has it",
                    where=place(source, line, [near]),
                    evidence=source.text.split("\n")[line - 1].strip(),
                    fix=f"for llama-server nothing; if the file is for others too, write it without {what}, or test for it first",
                )


RULE = OtherEnginesLack()
