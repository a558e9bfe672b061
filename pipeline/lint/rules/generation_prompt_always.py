from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class GenerationPromptAlways(TemplateRule):
    """The chat template opens the assistant's turn when `add_generation_prompt` is not given at all.

    llama-server leaves the variable out when it wants no generation prompt, and gets one: it can't tell what the
    generation prompt is, and an answer that it is asked to go on with is followed by a new header. Ordinary requests
    are answered as they should be.

    To mend it, test `add_generation_prompt` itself, without a default of true.
    """

    code = "A112"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        texts = [subject.renderings[name].text for name in ("user", "unprompted", "declined")]
        prompt, unset, declined = texts
        if prompt is None or unset is None or declined is None:
            return
        if prompt == unset and prompt != declined:
            yield self.finding(
                "the chat template opens the assistant's turn unless add_generation_prompt is false",
                where="chat_template",
                evidence=f"without the variable the prompt ends with {unset[-40:]!r}, with false {declined[-40:]!r}",
                fix="write {% if add_generation_prompt %} in place of a test for `is defined` or a default of true",
            )


RULE = GenerationPromptAlways()
