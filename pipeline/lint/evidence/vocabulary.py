"""What llama.cpp makes of a file's vocabulary, and of the chat template's prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.core.errors import EngineError
from pipeline.lint.model import UNASKED
from pipeline.lint.probes import ANSWER, PLAIN, ROUNDS, SECOND

if TYPE_CHECKING:
    from pipeline.lint.subject import Subject
    from pipeline.runtime.vocabulary import Reading, Refusal

SPLIT = (*PLAIN, "answered", "system", "tools", *ROUNDS)
"""Probes whose prompts are split into tokens."""

ANSWERED = ("turns", "answered")
LONGEST = 1 << 16


@dataclass(frozen=True)
class Split:
    """A text and the tokens that the engine splits it into, special ones read as such."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Spoken:
    """The engine's reading of a vocabulary, or why there is none: ``missing`` says what kept us from asking, ``refusal`` what
    kept the engine from reading it. ``prompts`` are those of probes, by the probe's name; ``tails`` what follows the
    answer in some of them.
    """

    missing: str = ""
    reading: Reading | None = None
    refusal: Refusal | None = None
    prompts: Mapping[str, Split] = field(default_factory=dict)
    tails: Mapping[str, Split] = field(default_factory=dict)


def speak(subject: Subject) -> Spoken:
    """Ask the engine. One process, started for this."""
    from pipeline.runtime.vocabulary import Refusal, read_vocabulary

    if not len(subject.vocabulary):
        return Spoken(missing="the file has no vocabulary")
    shown = {name: subject.renderings[name].text for name in SPLIT if name in subject.renderings}
    prompts = {name: text for name, text in shown.items() if text is not None and len(text) <= LONGEST}
    tails = {name: tail for name in ANSWERED if (tail := _tail(prompts.get(name, "")))}
    try:
        said = read_vocabulary(subject.header, [(text, False) for text in (*prompts.values(), *tails.values())])
    except EngineError as error:
        return Spoken(missing=f"{UNASKED}{error.message.splitlines()[0]}")
    if isinstance(said, Refusal):
        return Spoken(refusal=said)
    return Spoken(
        reading=said,
        prompts=_split(prompts, said.tokens[: len(prompts)]),
        tails=_split(tails, said.tokens[len(prompts) :]),
    )


def _tail(prompt: str) -> str:
    """Return what stands between an answer and the next message's words."""
    return prompt.partition(ANSWER)[2].partition(SECOND)[0]


def _split(texts: Mapping[str, str], tokens: Sequence[tuple[int, ...] | None]) -> dict[str, Split]:
    pairs = zip(texts.items(), tokens, strict=True)
    return {name: Split(text, found) for (name, text), found in pairs if found is not None}
