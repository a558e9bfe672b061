from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._mends import override
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.add_eos_token"


class AddsEos(Rule):
    """The tokenizer puts EOS after every prompt.

    `tokenizer.ggml.add_eos_token` is meant for embedding models. Where a model generates, llama-server puts EOS behind
    the prompt, behind the opened answer, and the model has to begin after an end, where it never began in training:
    many answer nothing, or start something new.

    To mend it, set `tokenizer.ggml.add_eos_token` to false.
    """

    code = "A213"
    severity = Severity.WARNING

    def skip(self, subject: Subject) -> str:
        metadata, architecture = subject.header.metadata, subject.facts.architecture
        encodes = subject.profile in ("embedding", "rerank") or subject.facts.tokenizer_model == "t5"
        if encodes or metadata.get(f"{architecture}.pooling_type", 0):
            return "models that encode want EOS after their input"
        return ""

    def check(self, subject: Subject) -> Iterable[Finding]:
        if subject.header.metadata.get(KEY) is not True:
            return
        yield self.finding(
            "EOS is added after every prompt, where the answer should begin",
            where=KEY,
            evidence=f"{KEY} is true, EOS is id {subject.facts.eos_id} {subject.facts.eos_token!r}",
            fix=f"set {KEY} to false (engine.overrides in the spec)",
            mend=override(add_eos_token=False),
        )


RULE = AddsEos()
