"""The difference between two locks, or a lock and a spec, field by field."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One field that moved: its dotted path, what it was and what it is, as JSON values; absent is None."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if isinstance(self.old, list) and isinstance(self.new, list):
            return f"{self.path}: {_moved(self.old, self.new)}"
        return f"{self.path}: {_show(self.old)} -> {_show(self.new)}"


def diff(old: Any, new: Any, path: str = "") -> list[Change]:
    """Return all changes between two JSON values, sorted by path."""
    if isinstance(old, dict) and isinstance(new, dict):
        changes = []
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else str(key)
            changes += diff(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)
        return changes
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [change for i, pair in enumerate(zip(old, new, strict=True)) for change in diff(*pair, f"{path}[{i}]")]
    old, new = (None if value is _ABSENT else value for value in (old, new))
    if old == new and type(old) is type(new):
        return []
    return [Change(path, old, new)]


def _moved(old: list[Any], new: list[Any]) -> str:
    """Return only what went out of a list (-) and came in (+): two long lists side by side don't show where they differ."""
    parts = []
    for i, i_end, j, j_end in _steps(old, new):
        parts += [f"- {_words(old, i, i_end)}"] if i < i_end else []
        parts += [f"+ {_words(new, j, j_end)}"] if j < j_end else []
    return "  ".join(parts)


def _steps(old: list[Any], new: list[Any]) -> list[tuple[int, int, int, int]]:
    # By their repr: 1 and True are not the same, and what can't be hashed is compared too.
    steps = SequenceMatcher(None, list(map(repr, old)), list(map(repr, new)), autojunk=False).get_opcodes()
    return [(i, i_end, j, j_end) for kind, i, i_end, j, j_end in steps if kind != "equal"]


def _words(values: list[Any], start: int, end: int) -> str:
    """Return some values of a list; that of an option of a command line with its name."""
    words = list(map(str, values))
    if start and words[start - 1].startswith("--") and not words[start].startswith("--"):
        start -= 1
    return _cut(shlex.join(words[start:end]))


def _show(value: Any) -> str:
    return "nothing" if value is None else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "…"
