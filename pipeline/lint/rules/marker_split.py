from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pipeline.gguf.tokens import END_TEXTS
from pipeline.gguf.types import TokenType
from pipeline.gguf.values import Array
from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import PLAIN, PROBES, ROUNDS, WITH_TOOLS
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.token_type"
BARRED = re.compile(r"<[|｜][^|｜<>\s]{1,60}[|｜]?>|<[^|｜<>\s]{1,60}[|｜]>|<(?:start|end)_of_[a-z]+>")
BRACKETED = re.compile(r"\[/?[A-Z][A-Z_]{2,30}\]|</?[a-z][a-z_]{0,30}>")
JUDGED = (*PLAIN, "answered", "system", "tools", *ROUNDS)
MATCHED = frozenset({TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN})
MENDED = END_TEXTS | {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}
"""Texts that llama.cpp makes special whatever the file says."""


class MarkerSplit(TemplateRule):
    """A marker of the chat template is not one token of the vocabulary, but is cut into pieces.

    A marker such as `<|im_start|>` is one token in training. The engine finds it in a prompt only if the vocabulary
    has it as a control or user-defined token; typed as ordinary text, or missing, it becomes a handful of pieces that
    the model never saw there, and answers turn to garbage (unsloth#5070, where `<start_of_turn>` was exported as an
    ordinary token) or the model takes no notice of roles and tools.

    A marker that is in the vocabulary but typed as ordinary text is an error. One that is missing is an error if other
    markers of the same make are there (a warning if only tools need it). If none are there, the template may well be
    meant as plain text, as Zephyr's is: an info.

    To mend it, set the token's type in `tokenizer.ggml.token_type` to 3 (control) or 4 (user-defined), or use the
    template that belongs to this vocabulary.
    """

    code = "A205"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        types = subject.header.metadata.get(KEY)
        if not subject.vocabulary or not isinstance(types, Array) or len(types) < len(subject.vocabulary):
            return "the file does not give every token's type"
        return super().skip(subject)

    def check(self, subject: Subject) -> Iterable[Finding]:
        vocabulary, written = subject.vocabulary, markers(subject)
        known = {text: vocabulary.ids[text] for text in written if text in vocabulary.ids}
        for text, number in known.items():
            if text not in MENDED and (kind := vocabulary.kind(number)) not in MATCHED:
                yield self.finding(
                    f"the chat template's marker {text!r} is typed as ordinary text, so it is cut into pieces",
                    where=KEY,
                    evidence=f"id {number} {text!r} has the type {kind.name}; the prompt has {_around(subject, text)!r}",
                    fix=f"set the type of token {number} in {KEY} to 3 (control)",
                    severity=Severity.ERROR if BARRED.fullmatch(text) else Severity.WARNING,
                )
        barred = {text for text in written if BARRED.fullmatch(text)}
        missing = sorted(barred - known.keys())
        if not missing:
            return
        here = sorted(barred - set(missing))
        core = [text for text in missing if written[text] not in WITH_TOOLS]
        shown = ", ".join(map(repr, missing[:6])) + (" …" if len(missing) > 6 else "")
        yield self.finding(
            f"markers of the chat template are no tokens of this vocabulary: {shown}",
            where="chat_template",
            evidence=f"the prompt has {_around(subject, missing[0])!r}; "
            + (f"tokens are {', '.join(map(repr, here[:3]))}" if here else "none of its markers is a token"),
            fix="use the template that belongs to this vocabulary, or a file whose vocabulary has these tokens",
            severity=(Severity.ERROR if core else Severity.WARNING) if here else Severity.INFO,
        )


def markers(subject: Subject) -> Mapping[str, str]:
    """Marker -> the first probe whose prompt has it; what the conversations say themselves is no marker."""
    found: dict[str, str] = {}
    said = repr(PROBES)
    for name in JUDGED:
        for pattern in (BARRED, BRACKETED):
            for text in pattern.findall(subject.renderings[name].text or ""):
                if text not in said:
                    found.setdefault(text, name)
    return found


def _around(subject: Subject, text: str) -> str:
    prompt = next(prompt for name in JUDGED if text in (prompt := subject.renderings[name].text or ""))
    at = prompt.index(text)
    return prompt[max(0, at - 10) : at + len(text) + 20]


RULE = MarkerSplit()
