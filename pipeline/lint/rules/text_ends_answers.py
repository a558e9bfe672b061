from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.types import TokenType
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import SpokenRule, named, reading_of
from pipeline.lint.rules.end_of_message_token import JUDGED
from pipeline.lint.subject import Subject

ROLES = ("eos", "eot", "eom")


class TextEndsAnswers(SpokenRule):
    """A token that the file has as ordinary text ends answers in llama.cpp.

    llama.cpp takes tokens for ends of answers by their text, `</s>` for one, whatever the file says, and mends their type.
    Where such a token is ordinary text, as the HTML tag `</s>` is in vocabularies of Qwen and Gemma, an answer that writes
    it stops there, and a user's text that holds it is read as a special token (the engine logs "control-looking token …
    this is probably a bug in the model"). Tokens that the file itself names, or that the chat template writes, are judged
    by A201 and A206.

    To mend it, nothing is needed if answers never hold that text; else give the token another text, or use another
    engine.
    """

    code = "A603"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        vocabulary, metadata = subject.vocabulary, subject.header.metadata
        declared = {metadata.get(f"tokenizer.ggml.{role}_token_id") for role in ROLES} | {vocabulary.assumed_eos}
        written = [subject.renderings[name].text or "" for name in JUDGED] if subject.renderings else []
        found = [
            number
            for number in sorted(reading_of(subject).ends - declared)
            if vocabulary.kind(number) is TokenType.NORMAL
            and not any((vocabulary.text(number) or "\0") in prompt for prompt in written)
        ]
        if found and "tokenizer.ggml.token_type" in metadata:
            yield self.finding(
                "ordinary text ends answers in llama.cpp: " + ", ".join(repr(vocabulary.text(it)) for it in found),
                where="tokenizer.ggml.token_type",
                evidence=f"typed as ordinary text, but an end of answers to the engine: {named(subject, found)}",
                fix="nothing, if answers never hold that text; else give the token another text",
            )


RULE = TextEndsAnswers()
