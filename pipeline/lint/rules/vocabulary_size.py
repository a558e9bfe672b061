from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

MATRICES = ("token_embd.weight", "output.weight")


class VocabularySize(Rule):
    """The vocabulary and the embedding matrix have different sizes.

    Every token has a row in the embedding, so llama-server refuses a file in which the two differ ("tensor
    'token_embd.weight' has wrong shape"), even where the rows are merely padded: the converter writes filler tokens
    (`[PAD0]`) for those. The usual cause is a tokenizer that got tokens added after training, or that belongs to
    another model of the family.

    To mend it, convert the model again with the tokenizer that it was trained with.
    """

    code = "A212"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        if not subject.vocabulary:
            return "the file has no vocabulary"
        known = {tensor.name for tensor in subject.tensors}
        return "" if MATRICES[0] in known else "the file has no embedding"

    def check(self, subject: Subject) -> Iterable[Finding]:
        tokens = len(subject.vocabulary)
        for tensor in subject.tensors:
            if tensor.name not in MATRICES or len(tensor.shape) != 2 or tensor.shape[1] == tokens:
                continue
            rows = tensor.shape[1]
            yield self.finding(
                f"the vocabulary has {tokens} tokens, {tensor.name} has {rows} rows: llama-server refuses the file",
                where=tensor.name,
                evidence=f"{tensor.name} has the shape {list(tensor.shape)}; "
                + (f"rows of no token: {rows - tokens}" if rows > tokens else f"tokens without a row: {tokens - rows}"),
                fix="convert the model again with the tokenizer that it was trained with",
            )


RULE = VocabularySize()
