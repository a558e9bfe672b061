"""How a template's model writes: read off the prompts in which it has written.

A template renders the assistant's earlier turns as the model is trained to write them. So the text between the prompt for an
answer and the end of the turn, in the prompt of a conversation that has gone on, is what a model says word for word.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from os.path import commonprefix

_TAG = re.compile(r"<[^<>\s]{1,60}>|\[[A-Z_/]{2,30}\]")
# The repeats have bounds: templates come from strangers, and without them a long text takes for ever.
_OPENS = re.compile(r"(<(?!/)[^<>/]{0,60}?(?:think|reason)[^<>/]{0,60}>|\[THINK\])\s*\Z", re.IGNORECASE)
_CLOSED = re.compile(r"(</[^<>]{0,60}?(think|reason)[^<>]{0,60}>|\[/THINK\]|<\|END_THINKING\|>)\s*\Z", re.IGNORECASE)
_CLOSES = re.compile(r"</[^<>\s]{0,60}?(think|reason)[^<>\s]{0,60}>|\[/THINK\]", re.IGNORECASE)
_BEHIND = 4096
"""Characters at a prompt's end in which a tag and the space behind it stand."""


@dataclass(frozen=True)
class Marks:
    """What a vocabulary says: the texts of the tokens that end an answer (``ends``), and those of control tokens."""

    ends: Set[str]
    control: Set[str]


def boundary(prompt: str, history: str) -> int:
    """Return how much of the prompt for an answer a later prompt begins with, whole tags only."""
    shared = len(commonprefix([prompt, history]))  # noqa: RUF071 - characters are meant
    for text in (prompt, history):
        for tag in _TAG.finditer(text, max(0, shared - 64)):
            if tag.start() < shared < tag.end():
                shared = tag.start()
    return shared


def opens_thinking(prompt: str) -> str:
    """Return the tag with which a prompt opens the thinking of the answer, "" where it doesn't."""
    found = _OPENS.search(prompt[-_BEHIND:])
    return found.group(1) if found else ""


def thinking_is_off(prompt: str) -> bool:
    """Whether a prompt ends with thinking that is over."""
    return bool(_CLOSED.search(prompt[-_BEHIND:]))


def closing(tag: str) -> str:
    """Return the tag that closes another."""
    return tag[0] + "/" + tag[1:]


def source_thinking(template: str) -> str:
    """Return the first tag that closes thinking in a template's source, "" where there is none."""
    found = _CLOSES.search(template)
    return found.group() if found else ""


def tags(text: str) -> list[str]:
    """Return what looks like a tag in a text, in order."""
    return _TAG.findall(text)


def end_of(tail: str, marks: Marks, known: str = "") -> str:
    """Return the first part of ``tail`` (what a prompt goes on with after the last word of an answer) that belongs to the
    answer: through the token that ends it.

    That is the first that ends an answer for the engine, or is ``known`` to end one; else the first control token, those
    around calls left out; else what looks like one. Nothing where there is none.
    """
    ends = _found(tail, {*marks.ends, known}) or _found(
        tail, {text for text in marks.control if "call" not in text.lower()}
    )
    if not ends:
        ends = [(tag.start(), tag.group()) for tag in list(_TAG.finditer(tail))[:1]]
    if not ends:
        return ""
    at, text = min(ends, key=lambda one: (one[0], -len(one[1])))
    return tail[: at + len(text)]


def _found(tail: str, texts: Set[str]) -> list[tuple[int, str]]:
    return [(tail.index(text), text) for text in texts if text and text in tail]


@dataclass(frozen=True)
class Written:
    """A line as a model writes it: ``text`` with ``end`` its last part, from the last word on. ``skipped`` is what the prompt
    for an answer ends with, but not the one in which it has been given.
    """

    text: str
    end: str
    skipped: str = ""

    def ends_early(self, marks: Marks) -> bool:
        """Whether a token that ends answers stands before the end."""
        return any(text in self.text[: len(self.text) - len(self.end)] for text in marks.ends)


def written(
    prompt: str, history: str, words: tuple[str, ...], stop: str, marks: Marks, known: str = ""
) -> Written | None:
    """Return the text with which an answer is written after ``prompt``; None where ``history`` does not show it.

    ``words`` are those of the answer, ``stop`` is one that comes after it, "" where nothing does; ``known`` is a text that
    ends answers, whatever the engine says.
    """
    start = boundary(prompt, history)
    limit = history.find(stop, start) if stop else len(history)
    places = [(history.find(word, start), word) for word in words]
    if limit < 0 or any(not 0 <= at < limit for at, _ in places):
        return None
    last = max(at + len(word) for at, word in places)
    end = end_of(history[last:limit], marks, known)
    return Written(history[start:last] + end, end, prompt[start:])


def after(lead: str, text: str) -> str:
    """Join what comes before an answer with the answer, which may begin with the end of that."""
    both = next((size for size in range(min(len(lead), len(text)), 0, -1) if lead.endswith(text[:size])), 0)
    return lead + text[both:]
