from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.gguf.types import TokenType
from pipeline.gguf.values import Array
from pipeline.lint.model import Finding, Mend, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._mends import override
from pipeline.lint.subject import Subject

PREFIX = "tokenizer.ggml."
ENDS = re.compile(r"tokenizer\.(ggml\.)?(eos|eot|eom|eog|end|stop)\w*_(ids?|tokens?)")
MEANT = {
    "unk_token_id": "unknown_token_id",
    "pad_token_id": "padding_token_id",
    "separator_token_id": "seperator_token_id",
    "sep_token_id": "seperator_token_id",
    "chat_template": "tokenizer.chat_template",
    "pre_tokenizer": "pre",
    "add_bos": "add_bos_token",
    "add_eos": "add_eos_token",
    "token_types": "token_type",
}
KNOWN_ENDS = frozenset(f"{PREFIX}{role}_token_id" for role in ("eos", "eot", "eom"))


class IgnoredKeys(Rule):
    """A key names special tokens, but llama.cpp doesn't read it.

    Some converters write keys of their own. `tokenizer.ggml.eos_token_ids`, a list of all tokens that end an answer,
    is one: llama.cpp ignores it, and if one of those tokens isn't an end for other reasons, answers run on or repeat
    (ollama#17192). A key misspelt, such as `tokenizer.ggml.pad_token_id`, is ignored as silently (an info).

    To mend it, name the tokens with the keys that the engine reads: `eos_token_id`, `eot_token_id` and `eom_token_id`,
    one token each.
    """

    code = "A215"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        metadata, vocabulary = subject.header.metadata, subject.vocabulary
        for key in sorted(key for key in metadata if key.startswith("tokenizer.")):
            meant = MEANT.get(key.removeprefix(PREFIX)) if key.startswith(PREFIX) else None
            if meant:
                meant = meant if "." in meant else PREFIX + meant
                yield self.finding(
                    f"llama.cpp ignores {key}; what it reads is {meant}",
                    where=key,
                    evidence=f"{key} is {metadata[key]!r}, {meant} is {metadata.get(meant)!r}",
                    fix=f"name the key {meant}, or remove it",
                    severity=Severity.INFO,
                    mend=_meant(metadata, key, meant),
                )
            elif ENDS.fullmatch(key) and key not in KNOWN_ENDS and not isinstance(metadata[key], bool):
                value = metadata[key]
                numbers = value[:64] if isinstance(value, Array) else [value]
                texts = {number: vocabulary.text(number) for number in numbers if isinstance(number, int)}
                lost = {number: text for number, text in texts.items() if text not in vocabulary.ends}
                if lost:
                    shown = ", ".join(f"{number} {text!r}" for number, text in lost.items())
                    yield self.finding(
                        f"{key} names tokens that end answers, but llama.cpp ignores it and goes on after them",
                        where=key,
                        evidence=f"not among the ends: {shown}; answers end at "
                        + ", ".join(map(repr, sorted(vocabulary.ends))),
                        fix="name them as tokenizer.ggml.eot_token_id and eom_token_id",
                        mend=_ends(subject, list(lost)),
                    )


def _meant(metadata: Mapping[str, Any], key: str, meant: str) -> Mend | None:
    """Return the mend that says under its right name what a misspelt key says, where that says nothing."""
    short = meant.removeprefix(PREFIX)
    value = metadata[key]
    if meant in metadata or short == meant or not isinstance(value, (bool, int, str)):
        return None
    return override(**{short: value})


def _ends(subject: Subject, lost: list[int]) -> Mend | None:
    """Return the mend that names control tokens as ends, where there is a key for each that says nothing yet."""
    free = [role for role in ("eot", "eom") if f"{PREFIX}{role}_token_id" not in subject.header.metadata]
    if len(lost) > len(free) or any(subject.vocabulary.kind(number) is not TokenType.CONTROL for number in lost):
        return None
    return override(**{f"{role}_token_id": number for role, number in zip(free, lost, strict=False)})


RULE = IgnoredKeys()
