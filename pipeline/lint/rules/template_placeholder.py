from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._mends import retext
from pipeline.lint.subject import Subject

PLACEHOLDER = re.compile(
    r"__(?:EOS|BOS|PAD|UNK)_TOKEN__|\{(?:EOS|BOS|EOS_TOKEN|BOS_TOKEN|INPUT|OUTPUT|SYSTEM|PROMPT)\}"
)


class TemplatePlaceholder(TemplateRule):
    """The chat template holds a placeholder that was never filled in: `__EOS_TOKEN__`, `{EOS}`, `{INPUT}`.

    A tool for training should have put a token or a text there. Where it is printed, the model reads the placeholder as
    words in every prompt, and the token that should end a turn is missing (unsloth#868): an error. A placeholder that
    no conversation shows is a warning.

    To mend it, put in `{{ eos_token }}`, `{{ bos_token }}` or what is meant.
    """

    code = "A124"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        template = subject.template or ""
        for found in {match[0]: match for match in PLACEHOLDER.finditer(template)}.values():
            shown = any(
                found[0] in (item.text or "") for name, item in subject.renderings.items() if "scan" not in name
            )
            line = template.count("\n", 0, found.start()) + 1
            yield self.finding(
                f"the placeholder {found[0]} was never filled in" + ("; it stands in prompts" if shown else ""),
                where=f"chat_template:{line}:{found.start() - template.rfind(chr(10), 0, found.start())}",
                evidence=template[max(0, found.start() - 40) : found.end() + 20],
                fix="put in {{ eos_token }}, {{ bos_token }} or what is meant",
                severity=Severity.ERROR if shown else Severity.WARNING,
                mend=retext(subject, _filled(template, found)),
            )


def _filled(template: str, found: re.Match[str]) -> str:
    """Return a template that writes the token in a placeholder's every place; unchanged where no token is meant."""
    name = next((name for name in ("eos_token", "bos_token") if name[:3].upper() in found[0]), "")
    if not name:
        return template
    pieces = template.split(found[0])
    text = pieces[0]
    for piece in pieces[1:]:
        code = max(text.rfind("{{"), text.rfind("{%"))
        quote = _quote(text[code:]) if code > max(text.rfind("}}"), text.rfind("%}")) else ""
        text += (f"{quote} + {name} + {quote}" if quote else f"{{{{ {name} }}}}") + piece
    return text


def _quote(code: str) -> str:
    """Return the quotation mark of the string that stands open at the end of a piece of code."""
    mark, escaped = "", False
    for character in code:
        if escaped:
            escaped = False
        elif mark and character == "\\":
            escaped = True
        elif character == mark:
            mark = ""
        elif not mark and character in "'\"":
            mark = character
    return mark


RULE = TemplatePlaceholder()
