from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._mends import retext
from pipeline.lint.subject import Subject


class DoubleBos(TemplateRule):
    """BOS stands twice: the chat template writes it, and the tokenizer adds it.

    Models are trained with one BOS; two make answers worse. llama-server takes one away when a prompt begins with BOS
    and the tokenizer adds one, so there it does no harm (an info); other engines keep both. A warning when more than
    one is left even so.

    To mend it, set `tokenizer.ggml.add_bos_token` to false, or take `bos_token` out of the template.
    """

    code = "A202"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        bos, prompt = subject.facts.bos_token, subject.renderings["user"].text
        if not bos or prompt is None:
            return
        written = 0
        while prompt.startswith(bos, written * len(bos)):
            written += 1
        adds = subject.facts.adds_bos
        stripped = 1 if adds and written else 0
        if written + adds < 2:
            return
        left = written + adds - stripped
        yield self.finding(
            f"BOS stands {written + adds} times at the start of a prompt"
            + (", of which llama-server takes one away" if stripped else ""),
            where="tokenizer.ggml.add_bos_token" if adds else "chat_template",
            evidence=f"the template writes {bos!r} {written} times, add_bos_token is {str(adds).lower()}",
            fix="set tokenizer.ggml.add_bos_token to false, or take bos_token out of the template",
            severity=Severity.WARNING if left > 1 else Severity.INFO,
            mend=retext(subject, _without(subject.template or "", bos, written if adds else written - 1)),
        )


def _without(template: str, bos: str, count: int) -> str:
    """Return a template that writes BOS so many times fewer at its head; unchanged where it writes them elsewhere."""
    head = re.compile(rf"\s*(?:\{{\{{-?\s*bos_token\s*-?\}}\}}|{re.escape(bos)})")
    text = template
    for _ in range(count):
        found = head.match(text)
        if not found:
            return template
        text = text[found.end() :]
    return text


RULE = DoubleBos()
