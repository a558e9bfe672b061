from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.gguf.types import TokenType
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.bos_token_id"


class UndefinedBos(TemplateRule):
    """The chat template writes BOS, but the file names none.

    llama.cpp then takes a default id for BOS, by the kind of the tokenizer: 11 for BPE, which is a comma or another
    ordinary character in most vocabularies. Every prompt begins with that, where the model expects its own first
    token. If the default is a control token, all is well and nothing is said.

    To mend it, name the token in `tokenizer.ggml.bos_token_id`, or take `bos_token` out of the template.
    """

    code = "A214"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        if subject.facts.bos_id is not None or not re.search(r"\bbos_token\b", subject.template or ""):
            return
        vocabulary = subject.vocabulary
        assumed = vocabulary.assumed_bos
        text = vocabulary.text(assumed)
        if assumed is not None and text is not None and vocabulary.kind(assumed) is TokenType.CONTROL:
            return
        taken = f"llama.cpp takes id {assumed}, {text!r}, for it" if text is not None else "it is left empty"
        yield self.finding(
            "the chat template writes bos_token, but the file names no BOS token",
            where=KEY,
            evidence=f"no such key; {taken}",
            fix=f"set {KEY} with gguf-py (gguf_set_metadata.py), or take bos_token out of the template",
        )


RULE = UndefinedBos()
