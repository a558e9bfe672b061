"""The difference between two locks, or a lock and a spec, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One field that moved: its dotted path, what it was and what it is, as JSON values; absent is None."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
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


def _show(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 200 else text[:197] + "…"
