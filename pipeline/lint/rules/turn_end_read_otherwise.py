from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import without_template
from pipeline.lint.rules._engine import SpokenRule, named, reading_of
from pipeline.lint.rules.end_token import RULE as END_TOKEN
from pipeline.lint.rules.marker_split import RULE as MARKER_SPLIT
from pipeline.lint.subject import Subject


class TurnEndReadOtherwise(SpokenRule):
    """Where an answer ends in the chat template, the engine reads no token at which it stops.

    The template's text has an end token there, but llama.cpp splits it otherwise: into pieces, or as a part of a longer
    token. Models learn to end answers with the token that stands in the prompt, so generation doesn't stop there, and
    answers run on until their length limit. Judged by the engine's own list of end tokens and its own split of the
    prompt; where A201 or A205 sees the fault in the file, this rule is silent.

    To mend it, take the token that covers the end token out of the vocabulary, or name it as eot_token_id.
    """

    code = "A602"
    severity = Severity.ERROR
    behind = (END_TOKEN, MARKER_SPLIT)

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject) or super().skip(subject):
            return reason
        return "" if subject.spoken.tails else "the chat template does not show where an answer ends"

    def check(self, subject: Subject) -> Iterable[Finding]:
        ends, tails = reading_of(subject).ends, list(subject.spoken.tails.values())
        if any(number in ends for tail in tails for number in tail.tokens):
            return
        read = named(subject, tails[-1].tokens)
        yield self.finding(
            "the engine reads no end token where an answer ends in the chat template: answers run on",
            where="tokenizer.ggml.tokens",
            evidence=f"after an answer {tails[-1].text[:40]!r} is read as {read}; answers end at "
            + (named(subject, sorted(ends)) or "nothing"),
            fix="name the token that the engine reads there as eot_token_id, or take it out of the vocabulary",
        )


RULE = TurnEndReadOtherwise()
