from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, USER, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import TEMPLATE_FIX
from pipeline.lint.subject import Subject

EMPTY = re.compile(
    r"<([^<>\s]{0,40}think[^<>\s]{0,40})>\s*</\1>|\[THINK\]\s*\[/THINK\]|<\|channel>thought\s*<channel\|>"
    r"|<\|begin_of_thought\|>\s*<\|end_of_thought\|>"
)
TURNS = {"turns": (ANSWER, "an earlier answer"), "called": (VALUE, "a tool call")}
"""Probe without thoughts -> the word before which a block stands, and what it is the block of."""


class EmptyThoughts(TemplateRule):
    """The chat template writes an empty block of thoughts, such as `<think></think>`, into turns that had none.

    The model sees itself answer, or call a tool, with empty thoughts, although thinking is on, and may go on so: it
    stops thinking, or writes empty blocks itself (llama.cpp#22507). It also changes the prompt of a history that is the
    same, so that caches don't fit. An info, as one template in nine does it, and some families were trained so: those
    that put the same block in place of earlier thoughts most likely were, which the finding says.

    To mend it, test for thoughts before writing the block, unless the publisher says that the model was trained so; or
    send back the thoughts (`reasoning_content`) of the turns since the last question.
    """

    code = "A126"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        blocks = {name: _block(subject.renderings[name].text, word) for name, (word, _) in TURNS.items()}
        found = {name: block for name, block in blocks.items() if block}
        if not found:
            return
        where = " and ".join(TURNS[name][1] for name in found)
        stands_in = bool(_block(subject.renderings["reasoned"].text, ANSWER))
        yield self.finding(
            f"the chat template writes empty thoughts before {where} that came without"
            + (", and in place of earlier thoughts too: most likely the model was trained so" if stands_in else ""),
            where="chat_template",
            evidence=f"the prompt has {next(iter(found.values()))!r}",
            fix=f"write the block only where there are thoughts; {TEMPLATE_FIX}",
        )


def _block(prompt: str | None, word: str) -> str:
    """Return the empty block between the question and a word of the turn after it, with what stands before; else ""."""
    end = (prompt or "").find(word)
    if not prompt or end < 0:
        return ""
    turn = prompt[max(0, prompt.rfind(USER, 0, end)) : end]
    found = EMPTY.search(turn)
    return turn[max(0, found.start() - 30) : found.end()] if found else ""


RULE = EmptyThoughts()
