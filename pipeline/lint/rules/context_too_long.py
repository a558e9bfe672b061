from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject


class ContextTooLong(Rule):
    """The spec asks for more context than the model was trained on.

    llama-server silently caps the context at the trained length, so long requests are refused that the spec promises
    to serve. A file that doesn't say its length, or says 0, is an error whatever the spec asks for.

    To mend it, lower `engine.context` in the spec, or take a variant of the model with the longer context.
    """

    code = "A301"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        key, trained = f"{subject.facts.architecture}.context_length", subject.facts.context_length
        if not trained:
            fix = f"take a file that has {key}, or set it with gguf-py (gguf_set_metadata.py)"
            yield self.finding(
                "the file doesn't say how long a context it was trained on",
                where=key,
                evidence=f"{key} is {trained}",
                fix=fix,
            )
        elif subject.spec is not None and subject.spec.engine.context > trained:
            asked = subject.spec.engine.context
            yield self.finding(
                f"the spec asks for a context of {asked} tokens, the model was trained on {trained}",
                where="engine.context",
                evidence=f"engine.context is {asked}, {key} is {trained}",
                fix=f"set engine.context to {trained} or less, or take a variant of the model with a longer context",
            )


RULE = ContextTooLong()
