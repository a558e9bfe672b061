from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.values import Array
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

INT32, FLOAT32 = 5, 6
KINDS = {"tokenizer.ggml.token_type": (INT32,), "tokenizer.ggml.scores": (FLOAT32, INT32)}


class ParallelArrays(Rule):
    """The lists of the tokens' types or scores don't fit the list of tokens.

    Both have one entry a token. If there are too few, or they are not of the type that the engine reads, llama-server
    refuses the file ("Index out of array bounds for toktypes"); with too many, the rest is ignored, and as something
    was inserted or lost, all types after it may belong to other tokens (a warning).

    To mend it, convert the model again; a list edited by hand must keep its length.
    """

    code = "A210"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "" if subject.vocabulary else "the file has no vocabulary"

    def check(self, subject: Subject) -> Iterable[Finding]:
        tokens = len(subject.vocabulary)
        for key, kinds in KINDS.items():
            found = subject.header.metadata.get(key)
            if found is None:
                continue
            if not isinstance(found, Array) or found.kind not in kinds:
                yield self.finding(
                    f"{key} is not of the type that the engine reads: llama-server refuses the file",
                    where=key,
                    evidence=f"{key} is {found!r}"
                    + (f" of value type {found.kind}, want {kinds[0]}" if isinstance(found, Array) else ""),
                    fix="convert the model again with a current llama.cpp",
                )
            elif len(found) != tokens:
                few = len(found) < tokens
                yield self.finding(
                    f"{key} has {len(found)} entries for {tokens} tokens"
                    + (": llama-server refuses the file" if few else ", the last are ignored"),
                    where=key,
                    evidence=f"{len(found)} entries, {tokens} tokens",
                    fix=f"give {key} one entry a token, or convert the model again",
                    severity=Severity.ERROR if few else Severity.WARNING,
                )


RULE = ParallelArrays()
