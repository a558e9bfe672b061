from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Mend, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._mends import override, terminator
from pipeline.lint.subject import Subject

PLACEHOLDER = re.compile(r"dummy|unused|reserved|placeholder|extra_?id|\[PAD\d+\]|\[EMPTY_\d+\]", re.IGNORECASE)


class PlaceholderToken(Rule):
    """The token that begins or ends an answer is a placeholder.

    Converters fill a vocabulary with tokens such as `<dummy32000>`, `<|reserved_special_token_0|>` or `[PAD151646]` up
    to the size of the embedding. When the text of an added token was lost in conversion, the end of an answer is such
    a filler: it is shown to users as text, templates can't write it, and stop strings never match
    (node-llama-cpp#169).

    To mend it, convert the model again with `added_tokens.json` and `tokenizer_config.json` at hand, or correct the id.
    """

    code = "A217"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "" if subject.vocabulary else "the file has no vocabulary"

    def check(self, subject: Subject) -> Iterable[Finding]:
        seen = set[int]()
        for role in ("eos", "eot", "eom", "bos"):
            key = f"tokenizer.ggml.{role}_token_id"
            number = subject.header.metadata.get(key)
            if not isinstance(number, int) or number in seen:
                continue
            text = subject.vocabulary.text(number)
            if text is None or (text and not PLACEHOLDER.search(text)):
                continue
            seen.add(number)
            yield self.finding(
                f"{key} is a placeholder, {text!r}: the text of the token that is meant was lost",
                where=key,
                evidence=f"id {number} {text!r}",
                fix="convert the model again with all of its tokenizer's files, or correct the id",
                severity=Severity.WARNING if role == "bos" else Severity.ERROR,
                mend=_named(subject, role),
            )


def _named(subject: Subject, role: str) -> Mend | None:
    """Return the mend that names what ends the template's turns."""
    found = terminator(subject) if role in ("eos", "eot") and subject.profile == "chat" else None
    return override(**{f"{role}_token_id": found[0]}) if found else None


RULE = PlaceholderToken()
