from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._mends import retext
from pipeline.lint.subject import Subject

MOST = 40


class GenerationPromptSpace(TemplateRule):
    """The prompt ends with a space.

    Tokenizers put the space before a word into the word's own token. A prompt that ends with a space leaves the model
    to go on in the middle of such a token, which it never saw in training: it doubles the space, or answers worse, or
    says nothing at all.

    To mend it, take the space out of the end of the template.
    """

    code = "A113"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        prompt = subject.renderings["user"].text or ""
        if prompt.endswith((" ", "\t")):
            yield self.finding(
                "the prompt ends with a space",
                where="chat_template",
                evidence=f"the prompt ends with {prompt[-40:]!r}",
                fix="take the space out of the end of the template",
                mend=retext(subject, _without_space(subject.template or "", prompt)),
            )


def _without_space(template: str, prompt: str) -> str:
    """Return a template without the spaces at the end of its prompt; unchanged where it doesn't write them as they are."""
    body = prompt.rstrip(" \t")
    spaces = prompt[len(body) :]
    for length in range(min(MOST, len(body)), 0, -1):
        for near in dict.fromkeys((body[-length:].replace("\n", "\\n"), body[-length:])):
            at = template.rfind(near + spaces)
            if at >= 0:
                end = at + len(near)
                return template[:end] + template[end + len(spaces) :]
    return template


RULE = GenerationPromptSpace()
