from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class TemplateIgnoresGenerationPrompt(TemplateRule):
    """The chat template ignores `add_generation_prompt` although its assistant turns have a header.

    The prompt then ends after the user's turn, and the model has to write the header of its own answer: it often continues the user's
    turn instead, or the header shows up in the answer. Templates whose answers follow without a header (as Mistral's `[/INST]`) need no
    such prompt and are left alone.

    To mend it, end the template with `{% if add_generation_prompt %}`, the header of an assistant turn, `{% endif %}`.
    """

    code = "A103"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        with_flag, without = subject.renderings["user"].text, subject.renderings["unprompted"].text
        answered = subject.renderings["answered"].text
        if (
            with_flag is None
            or answered is None
            or with_flag != without
            or not answered.startswith(with_flag)
            or ANSWER not in answered
        ):
            return
        header = answered[len(with_flag) : answered.index(ANSWER)]
        if header.strip():
            yield self.finding(
                "the chat template ignores add_generation_prompt: the prompt ends before the assistant's header",
                where="chat_template",
                evidence=f"assistant turns begin with {header!r}, the prompt ends with {with_flag[-40:]!r}",
                fix="end the template with {% if add_generation_prompt %}" + repr(header)[1:-1] + "{% endif %}",
            )


RULE = TemplateIgnoresGenerationPrompt()
