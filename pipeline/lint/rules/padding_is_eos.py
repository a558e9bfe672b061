from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, SECOND
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.padding_token_id"


class PaddingIsEos(TemplateRule):
    """Padding and EOS are the same token.

    It does no harm when a model is served, and some publishers' files are so. But a model that was fine-tuned so has
    often learned nothing about EOS, since padding is left out of the loss, and then its answers don't end (unsloth#416,
    smol-course#159). Worth a look if answers run on; the stop-tokens check tells. Where the chat template ends turns
    with another token than EOS, nothing is said.

    To mend it, tune with a padding token of its own; in the file nothing has to change.
    """

    code = "A216"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        eos, text = subject.facts.eos_id, subject.facts.eos_token
        if eos is None or not text or subject.header.metadata.get(KEY) != eos:
            return
        prompt = subject.renderings["turns"].text or ""
        if text in prompt.partition(ANSWER)[2].partition(SECOND)[0]:
            yield self.finding(
                "padding and EOS are the same token: a model tuned so may not have learned to stop",
                where=KEY,
                evidence=f"both are id {eos} {subject.facts.eos_token!r}",
                fix="nothing, if answers end (the stop-tokens check tells); else tune with another padding token",
            )


RULE = PaddingIsEos()
