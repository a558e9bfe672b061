from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._mends import retext
from pipeline.lint.subject import Subject


class CarriageReturns(TemplateRule):
    """The chat template has Windows line ends (CR LF).

    Jinja engines, llama.cpp's among them, read them as plain line ends, so prompts are as they should be and this is an
    info; tools that compare templates byte by byte see another one. Carriage returns that reach the prompt (written as
    an escape) are a warning: the model was not trained on them.

    To mend it, save the template with plain line ends.
    """

    code = "A125"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        template, prompt = subject.template or "", subject.renderings["turns"].text or ""
        for text, severity, what in (
            (prompt, Severity.WARNING, "prompts have carriage returns"),
            (template, Severity.INFO, "the chat template has Windows line ends"),
        ):
            at = text.find("\r")
            if at >= 0:
                yield self.finding(
                    what,
                    where="chat_template"
                    if text is prompt
                    else f"chat_template:{template.count(chr(10), 0, at) + 1}:1",
                    evidence=f"{text.count(chr(13))} carriage returns, the first in {text[max(0, at - 30) : at + 10]!r}",
                    fix="save the template with plain line ends",
                    mend=retext(subject, template.replace("\r\n", "\n")) if text is template else None,
                    severity=severity,
                )
                return


RULE = CarriageReturns()
