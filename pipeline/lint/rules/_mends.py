"""Mends that rules share: overrides of metadata, and texts of templates. None is made where it takes judgement."""

from __future__ import annotations

import re

from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.gguf.tokens import FILLER_TEXTS
from pipeline.gguf.types import TokenType
from pipeline.lint.model import OVERRIDES, TEMPLATE, Mend
from pipeline.lint.probes import ANSWER, PLAIN, SECOND, USER
from pipeline.lint.subject import Subject

_FILLERS = frozenset().union(*FILLER_TEXTS.values())
_SPECIAL = (TokenType.CONTROL, TokenType.USER_DEFINED)
_PLACEHOLDER = re.compile(r"dummy|unused|reserved|placeholder|\[PAD", re.IGNORECASE)


def override(**values: bool | int | str) -> Mend | None:
    """Return a mend that overrides keys of the tokenizer, named without their prefix; None for what no spec may say."""
    from pipeline.spec.overrides import fits  # pydantic: only where there is something to mend

    keys = {f"tokenizer.ggml.{key}": value for key, value in values.items()}
    return Mend(OVERRIDES, keys) if all(fits(key, value) for key, value in keys.items()) else None


def retext(subject: Subject, text: str) -> Mend | None:
    """Return a mend that puts ``text`` in the template's place; None where it is the same, or where the file has another
    template for tools, which the new one would replace too.
    """
    if text == subject.template or not text.strip():
        return None
    tools = subject.header.metadata.get(f"{TEMPLATE_KEY}.tool_use")
    if isinstance(tools, str) and subject.template == subject.facts.chat_template:
        return None
    return Mend(TEMPLATE, text)


def terminator(subject: Subject) -> tuple[int, str] | None:
    """Return the token that ends a turn of the assistant, by what the template writes: the control token that stands
    right behind an answer, whether a turn of the user follows or nothing. None where that is no special token, or the one
    that opens turns as well.
    """
    if not subject.template or any(subject.renderings[name].text is None for name in PLAIN):
        return None
    turns, answered = subject.renderings["turns"].text or "", subject.renderings["answered"].text or ""
    if ANSWER not in turns or SECOND not in turns or ANSWER not in answered:
        return None
    between = turns.split(ANSWER, 1)[1].split(SECOND, 1)[0].lstrip()
    end = answered.rsplit(ANSWER, 1)[1].lstrip()
    found = [text for text in subject.vocabulary.special if text and between.startswith(text) and end.startswith(text)]
    if not found:
        return None
    text = max(found, key=len)
    number = subject.vocabulary.ids[text]
    barred = text in _FILLERS or _PLACEHOLDER.search(text) or subject.vocabulary.kind(number) not in _SPECIAL
    return None if barred or opener(subject) == text else (number, text)


def opener(subject: Subject) -> str:
    """Return the special token that stands last before what a user says; "" where none does."""
    before = (subject.renderings["user"].text or "").split(USER, 1)[0]
    found = [(before.rindex(text), len(text), text) for text in subject.vocabulary.special if text and text in before]
    return max(found)[2] if found else ""
