from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import RESULT, THOUGHT, TOOL, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

OPENS = re.compile(r"<[^<>\s]{0,40}think[^<>\s]{0,40}>\s*\Z")


class ThoughtsInHistory(TemplateRule):
    """What the model thought stays in the prompt where most templates drop it, or is dropped where most keep it.

    Most models are trained to see their thoughts (`reasoning_content`) until the answer is given, and not afterwards. A
    template that keeps those of earlier answers fills the context with them, turn by turn. One whose prompt opens
    thinking, but which drops the thoughts before a tool call, lets the model call a tool and forget why. An info, as
    both may be how the model was trained: of real templates that think, one in six keeps them, one in twelve forgets.

    To mend it, ask the publisher's model card what the model was trained on; otherwise let the client leave out thoughts
    of earlier answers, or take a template that keeps those of calls.
    """

    code = "A128"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        shown = subject.renderings
        earlier, call, prompt = (shown[name].text or "" for name in ("reasoned", "thought-call", "user"))
        if THOUGHT in earlier:
            at = earlier.index(THOUGHT)
            yield self.finding(
                "the chat template keeps the thoughts of earlier answers: they fill the context",
                where="chat_template",
                evidence=f"the prompt has {earlier[max(0, at - 40) : at + 60]!r}",
                fix="leave reasoning_content out of earlier answers, unless the model was trained to see it",
            )
        rendered = TOOL in call and VALUE in call and RESULT in call
        if rendered and THOUGHT not in call and OPENS.search(prompt):
            yield self.finding(
                "the chat template drops what the model thought before it called a tool",
                where="chat_template",
                evidence=f"the prompt ends with {prompt[-40:]!r}, but {THOUGHT!r} is not before the call",
                fix="keep the thoughts since the user's last message, if the model was trained to see them",
            )


RULE = ThoughtsInHistory()
