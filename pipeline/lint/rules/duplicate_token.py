from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.tokens"


class DuplicateToken(Rule):
    """Two tokens of the vocabulary have the same text, at which llama.cpp aborts.

    The engine keeps one id per text and checks that none is lost; a vocabulary with a text twice ends the process with
    `GGML_ASSERT(id_to_token.size() == token_to_id.size())`, with no word on which token it is. Tools that add tokens
    or pad a vocabulary after conversion make such files.

    To mend it, give every filler token a text of its own (`[PAD151646]`, …), or take the publisher's current file.
    """

    code = "A209"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "" if subject.vocabulary else "the file has no vocabulary"

    def check(self, subject: Subject) -> Iterable[Finding]:
        duplicates = subject.vocabulary.duplicates
        if not duplicates:
            return
        shown = ", ".join(f"{text!r} has the ids {', '.join(map(str, ids[:4]))}" for text, ids in duplicates.items())
        yield self.finding(
            f"{len(duplicates)} text{'s stand' if len(duplicates) > 1 else ' stands'} more than once in the "
            "vocabulary: llama.cpp aborts",
            where=KEY,
            evidence=shown,
            fix="give each of these tokens a text of its own, or convert the model again",
        )


RULE = DuplicateToken()
