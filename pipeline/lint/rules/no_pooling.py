from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject


class NoPooling(Rule):
    """An embedding model for which nobody says how the vectors of a text's tokens become one.

    llama-server then takes none of the ways, and answers `/v1/embeddings` with 400 ("Pooling type 'none' is not OAI
    compatible"). Taking another way than in training gives vectors that look right and say little.

    To mend it, set `engine.pooling` to what the model's card says: `mean`, `cls` or `last`.
    """

    code = "A218"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        if subject.spec is None or subject.spec.profile != "embedding":
            return  # nobody says that it is an embedding model
        key = f"{subject.facts.architecture}.pooling_type"
        stated = subject.header.metadata.get(key)
        if stated or subject.spec.engine.pooling:
            return
        yield self.finding(
            "neither the file nor the spec says how a text's vector is made: llama-server refuses /v1/embeddings",
            where=key,
            evidence="the key is missing" if stated is None else f"{key} is {stated}: none",
            fix="set engine.pooling in the spec to what the model's card says: mean, cls or last",
        )


RULE = NoPooling()
