from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import RESULT, USER, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import shared
from pipeline.lint.subject import Subject

PAIRS = (("user", "turns", USER), ("tools", "tool-turns", USER), ("called", "called-before", RESULT))


class HistoryRewritten(TemplateRule):
    """The chat template writes earlier turns anew when the conversation goes on.

    llama-server keeps what it has read and reads only what is new, as long as the prompt begins as before. Here it
    doesn't: the tools move behind the last question, or an old answer is printed in another way. Each turn then reads
    the conversation again from that place, which costs time, more the longer it gets. Answers are not affected.

    To mend it, nothing can be done in the spec; count on slower turns.
    """

    code = "A117"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        for first, then, word in PAIRS:
            before, after = subject.renderings[first].text or "", subject.renderings[then].text or ""
            if word not in before or word not in after or (word == RESULT and VALUE not in after):
                continue  # what is lost is for other rules
            before = before[: before.rindex(word) + len(word)]  # what follows may change: the end of the prompt
            common = shared(before, after)
            if common < len(before):
                yield self.finding(
                    "a new turn changes what stood before it" + (" (the tools)" if first == "tools" else ""),
                    where="chat_template",
                    evidence=f"after {before[max(0, common - 30) : common]!r} stood {before[common : common + 50]!r}, "
                    f"then {after[common : common + 50]!r}",
                    fix="count on slower turns: the cache is of no use from there on",
                )
                return


RULE = HistoryRewritten()
