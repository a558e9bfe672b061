from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

BOS = "tokenizer.ggml.bos_token_id"
ROLES = ("bos", "eom", "unknown", "seperator", "padding", "mask")  # spelt as the format spells them
FILLERS = ("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle")
KEYS = tuple(f"tokenizer.ggml.{role}_token_id" for role in ROLES + FILLERS)


class TokenIdRange(Rule):
    """A special token's id lies outside of the vocabulary.

    llama.cpp logs a line and takes a default id, or none: padding and the tokens of fill-in-the-middle then don't work
    (a warning). For BOS the default is a token that has nothing to do with this model (id 11, a comma in many BPE
    vocabularies), and it stands at the start of every prompt if BOS is added or the template writes it: an error.
    Ids of EOS and EOT are judged by A201.

    To mend it, set the id of the token that is meant, or remove the key.
    """

    code = "A211"
    severity = Severity.WARNING

    def skip(self, subject: Subject) -> str:
        return "" if subject.vocabulary else "the file has no vocabulary"

    def check(self, subject: Subject) -> Iterable[Finding]:
        vocabulary = subject.vocabulary
        for key in KEYS:
            number = subject.header.metadata.get(key)
            if not isinstance(number, int) or isinstance(number, bool) or 0 <= number < len(vocabulary):
                continue
            evidence = f"id {number}, vocabulary {len(vocabulary)}"
            used = key == BOS and (subject.facts.adds_bos or "bos_token" in (subject.template or ""))
            if used and vocabulary.assumed_bos is not None:
                evidence += (
                    f"; llama.cpp takes id {vocabulary.assumed_bos}, {vocabulary.text(vocabulary.assumed_bos)!r}"
                )
            yield self.finding(
                f"{key} is {number}, but there is no such token",
                where=key,
                evidence=evidence,
                fix="set the id with gguf-py (gguf_set_metadata.py), or remove the key",
                severity=Severity.ERROR if used else Severity.WARNING,
            )


RULE = TokenIdRange()
