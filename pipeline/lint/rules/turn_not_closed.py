from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, SECOND, USER
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import TEMPLATE_FIX
from pipeline.lint.subject import Subject

MARKER = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,20}\]")
JUDGED = ("system", "called", "parallel", "preamble", "called-before", "tool-turns")


class TurnNotClosed(TemplateRule):
    """The chat template opens a turn and does not close it before the next begins.

    In a plain conversation every turn has its end; in another one (with tools, a system turn) an end is missing. The
    model sees a form that it was not trained on: it mixes up who speaks, or writes on where it should stop. The first
    templates of some models left the turn open after the result of a tool.

    To mend it, close every turn that the template opens, also after tool calls and results.
    """

    code = "A116"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        texts = {name: subject.renderings[name].text for name in ("user", "turns", *JUDGED)}
        user, turns = texts["user"] or "", texts["turns"] or ""
        if not all(word in turns for word in (USER, ANSWER, SECOND)) or USER not in user:
            return
        between = turns.split(ANSWER)[1].split(SECOND)[0]
        opener = next((marker for marker in MARKER.findall(user.split(USER)[0][-80:]) if marker in between), None)
        close = MARKER.match(between.lstrip())
        if opener is None or close is None or close[0] == opener or any(_open(turns, opener, close[0])):
            return
        for name in JUDGED:
            found = next(iter(_open(texts[name] or "", opener, close[0])), None)
            if found:
                yield self.finding(
                    f"the chat template opens a turn ({opener}) before the last is closed ({name.replace('-', ' ')})",
                    where="chat_template",
                    evidence=f"turns end with {close[0]!r}, but here stands {found!r}",
                    fix=TEMPLATE_FIX,
                )
                return


def _open(text: str, opener: str, close: str) -> Iterable[str]:
    """Yield the places where a turn begins after plain text, or after the end of a tag, and not after a closed turn."""
    for part in text.split(opener)[1:-1]:
        before = part.rstrip()
        markers = MARKER.findall(before)
        last = markers[-1] if markers and before.endswith(markers[-1]) else ""
        if not last or (last.startswith("</") and last != close):
            yield before[-60:] + opener


RULE = TurnNotClosed()
