from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, MARKUP, SECOND, USER
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._template import TEMPLATE_FIX
from pipeline.lint.subject import Subject

WORDS = {USER: "the user's first message", ANSWER: "the assistant's answer", SECOND: "the user's second message"}


class TemplateLosesText(TemplateRule):
    """The chat template loses what was said: a turn of the user or of the assistant is not in the prompt.

    The model answers a conversation that it never saw: it forgets its own answers, or doesn't get the question. The
    server says nothing. Judged on what llama-server passes to the template, text as a list of parts where the template
    takes nothing else. Text that arrives changed (`<` as `&lt;`, letters beyond ASCII as escapes) is lost too.

    To mend it, correct the template and name it in the spec (`chat.template`), or take the publisher's current file.
    """

    code = "A106"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        shown = subject.renderings
        lost = [word for word in WORDS if word not in (shown["turns"].text or "")]
        if USER not in (shown["user"].text or ""):
            yield self._lost([USER], shown["user"].text, "of a single turn")
        elif lost:
            yield self._lost(lost, shown["turns"].text, "of user, assistant, user")
        elif ANSWER not in (shown["reasoned"].text or ANSWER):
            yield self._lost([ANSWER], shown["reasoned"].text, "when it comes with reasoning_content")
        markup = shown["markup"].text
        if not lost and markup is not None and MARKUP not in markup:
            start = max(0, markup.find("Quern"))
            yield self.finding(
                "the chat template changes the characters of a message",
                where="chat_template",
                evidence=f"{MARKUP!r} becomes {markup[start : start + 80]!r}",
                fix="print messages as they are, without filters that escape",
            )

    def _lost(self, words: list[str], prompt: str | None, when: str) -> Finding:
        return self.finding(
            f"the chat template loses {' and '.join(WORDS[word] for word in words)} {when}",
            where="chat_template",
            evidence=f"{words[0]!r} is not in the prompt {prompt!r}",
            fix=TEMPLATE_FIX,
        )


RULE = TemplateLosesText()
