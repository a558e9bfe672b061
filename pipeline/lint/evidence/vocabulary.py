"""What llama.cpp makes of a file's vocabulary, and of the chat template's prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.core.errors import EngineError
from pipeline.lint.probes import PLAIN, ROUNDS
from pipeline.runtime.vocabulary import Reading, Refusal, read_vocabulary

if TYPE_CHECKING:
    from pipeline.lint.subject import Subject

SPLIT = (*PLAIN, "answered", "system", "tools", *ROUNDS)
"""Probes whose prompts are split into tokens."""

LONGEST = 1 << 16
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Spoken:
    """The engine's reading of a vocabulary, or why there is none: ``missing`` says what kept us from asking, ``refusal`` what
    kept the engine from reading it. ``prompts`` maps probes to their prompts' tokens, special ones read as such.
    """

    missing: str = ""
    reading: Reading | None = None
    refusal: Refusal | None = None
    prompts: Mapping[str, Tokens] = field(default_factory=dict)


def speak(subject: Subject) -> Spoken:
    """Ask the engine. One process, started for this."""
    if not len(subject.vocabulary):
        return Spoken(missing="the file has no vocabulary")
    texts = {name: subject.renderings[name].text for name in SPLIT if name in subject.renderings}
    asked = {name: text for name, text in texts.items() if text is not None and len(text) <= LONGEST}
    try:
        said = read_vocabulary(subject.header, [(text, False) for text in asked.values()])
    except EngineError as error:
        return Spoken(missing=error.message)
    if isinstance(said, Refusal):
        return Spoken(refusal=said)
    found = zip(asked, said.tokens, strict=True)
    return Spoken(reading=said, prompts={name: tokens for name, tokens in found if tokens is not None})
