from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, SECOND, USER
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class TemplateIgnoresGenerationPrompt(TemplateRule):
    """The chat template ignores `add_generation_prompt` although its assistant turns have a header.

    The prompt then ends after the user's turn, and the model has to write the header of its own answer: it often
    continues the user's turn instead, or the header shows up in the answer. Templates whose answers follow without a
    header (as Mistral's `[/INST]`) need no such prompt and are left alone, as are those that open the assistant's turn
    always.

    To mend it, end the template with `{% if add_generation_prompt %}`, the header of an assistant turn, `{% endif %}`.
    """

    code = "A103"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        texts = {name: subject.renderings[name].text or "" for name in ("user", "unprompted", "answered", "turns")}
        prompt, answered, turns = texts["user"], texts["answered"], texts["turns"]
        if prompt != texts["unprompted"] or USER not in prompt or ANSWER not in turns:
            return
        if not answered.startswith(prompt) or ANSWER not in answered:
            return
        header = answered[len(prompt) : answered.index(ANSWER)]
        ending = prompt.split(USER, 1)[1].strip()
        opens_anyway = ending and ending not in turns.split(ANSWER, 1)[1].split(SECOND)[0]
        if header.strip() and not opens_anyway:
            yield self.finding(
                "the chat template ignores add_generation_prompt: the prompt ends before the assistant's header",
                where="chat_template",
                evidence=f"assistant turns begin with {header!r}, the prompt ends with {prompt[-40:]!r}",
                fix="end the template with {% if add_generation_prompt %}" + repr(header)[1:-1] + "{% endif %}",
            )


RULE = TemplateIgnoresGenerationPrompt()
