from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.pre"


class MissingPreTokenizer(Rule):
    """A BPE vocabulary does not say how text is split before merging.

    llama.cpp then falls back to a default, words, digits and spaces are cut otherwise than in training, and answers
    get worse without any error. Files converted before May 2024 have this fault. `default`, spelled out, is a warning.

    To mend it, take a newer conversion, or set `tokenizer.ggml.pre` to the name that llama.cpp's converter gives this
    tokenizer.
    """

    code = "A203"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "" if subject.facts.tokenizer_model == "gpt2" else "only BPE vocabularies have a pre-tokenizer"

    def check(self, subject: Subject) -> Iterable[Finding]:
        pre = subject.facts.tokenizer_pre
        if pre and pre != "default":
            return
        yield self.finding(
            f"{KEY} is {'`default`' if pre else 'missing'}: text is split otherwise than in training",
            where=KEY,
            evidence=f"tokenizer.ggml.model is gpt2, {KEY} is {pre!r}",
            fix=f"take a newer conversion, or set {KEY} to the name that llama.cpp's converter gives this tokenizer",
            severity=Severity.WARNING if pre else Severity.ERROR,
        )


RULE = MissingPreTokenizer()
