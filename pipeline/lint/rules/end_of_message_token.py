from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.tokens import END_TEXTS
from pipeline.gguf.types import TokenType
from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import PLAIN, ROUNDS
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

EOM, TYPES = "tokenizer.ggml.eom_token_id", "tokenizer.ggml.token_type"
JUDGED = (*PLAIN, "answered", "system", "tools", *ROUNDS)
SPECIAL = (TokenType.CONTROL, TokenType.USER_DEFINED)


class EndOfMessageToken(Rule):
    """A token ends answers, but is typed as ordinary text.

    The engine stops at the token that the file names as EOM, and at those that it knows by their text, such as
    `<|im_end|>`. An EOM token of ordinary text stops answers at a word. A well-known one typed as ordinary text is
    mended by llama.cpp (it logs "control-looking token … this is probably a bug in the model"), but other engines
    cut it into pieces and never stop. EOS and EOT are judged by A201.

    To mend it, correct `tokenizer.ggml.eom_token_id`, or set the token's type to 3 (control).
    """

    code = "A206"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "" if subject.vocabulary else "the file has no vocabulary"

    def check(self, subject: Subject) -> Iterable[Finding]:
        vocabulary = subject.vocabulary
        judged = {subject.facts.eos_id, subject.facts.eot_id}
        eom = subject.header.metadata.get(EOM)
        if isinstance(eom, int) and eom not in judged and (text := vocabulary.text(eom)) is not None:
            judged.add(eom)
            if vocabulary.kind(eom) not in SPECIAL:
                yield self.finding(
                    f"the token {text!r} ends messages but is typed as ordinary text",
                    where=EOM,
                    evidence=f"id {eom} {text!r} has the type {vocabulary.kind(eom).name}",
                    fix=f"give the right id, or set its {TYPES} to 3 (control)",
                    severity=Severity.WARNING if text in END_TEXTS else Severity.ERROR,
                )
        prompts = [subject.renderings[name].text or "" for name in JUDGED] if subject.renderings else []
        for text in sorted(END_TEXTS & vocabulary.ids.keys()):
            number = vocabulary.ids[text]
            if number in judged or vocabulary.kind(number) in SPECIAL:
                continue
            if any(text in prompt for prompt in prompts):
                yield self.finding(
                    f"the chat template writes {text!r}, but it is typed as ordinary text (llama.cpp mends "
                    "it, others don't)",
                    where=TYPES,
                    evidence=f"id {number} {text!r} has the type {vocabulary.kind(number).name}",
                    fix=f"set the type of token {number} in {TYPES} to 3 (control)",
                    severity=Severity.WARNING,
                )


RULE = EndOfMessageToken()
