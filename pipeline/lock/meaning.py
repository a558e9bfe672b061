"""What an upgrade means, in the terms of who runs the model: weights, template, stop tokens, context, licence, quantization."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from pipeline.lock.model import Lockfile


@dataclass(frozen=True)
class Meaning:
    """One thing that moved or is known to have stayed: ``changed`` is None where nobody can tell yet; ``lines`` are details."""

    topic: str
    changed: bool | None
    said: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join((f"{self.topic}: {self.said}", *(f"  {line}" for line in self.lines)))


def meaning(
    old: Lockfile, new: Lockfile, weights: tuple[bool | None, str], templates: tuple[str | None, str | None]
) -> tuple[Meaning, ...]:
    """Return what the step from ``old`` to ``new`` means, the weights and the template first, whether they moved or not. ``weights``
    is the answer of ``compare``, ``templates`` the texts of both.
    """
    same, how = weights
    words = {True: "unchanged", False: "changed", None: "seem unchanged"}[same]
    found = [
        _pair("source", old.source.resolved, new.source.resolved),
        Meaning("weights", None if same is None else not same, f"{words} ({how})"),
        _template(*templates),
        *(_pair(topic, _say(old, keys), _say(new, keys)) for topic, keys in _TOPICS.items()),
        _pair("licence", old.license.id, new.license.id),
        _pair("size", *(f"{sum(file.size for file in lock.shards):,} bytes" for lock in (old, new))),
        _other(old.gguf, new.gguf),
    ]
    return tuple(one for one in found if one and (one.changed or one.topic in ("weights", "chat template")))


_TOPICS = {
    "stop tokens": ("eos_token", "eot_token"),
    "start token": ("bos_token", "add_bos"),
    "context": ("context_length",),
    "quantization": ("quantization",),
    "architecture": ("architecture",),
    "pre-tokenizer": ("tokenizer_pre",),
    "vocabulary": ("vocabulary",),
}


def _say(lock: Lockfile, keys: tuple[str, ...]) -> str:
    return ", ".join(str(lock.gguf[key]) for key in keys if lock.gguf.get(key) is not None) or "none"


def _pair(topic: str, old: Any, new: Any) -> Meaning:
    return Meaning(topic, old != new, f"{old or 'none'} -> {new or 'none'}")


def _template(old: str | None, new: str | None) -> Meaning:
    if old == new:
        return Meaning("chat template", False, "unchanged" if new is not None else "none, as before")
    if old is None or new is None:
        return Meaning("chat template", True, "added" if old is None else "removed")
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "after", lineterm="", n=2)
    return Meaning("chat template", True, "changed", tuple(lines))


def _other(old: dict[str, Any], new: dict[str, Any]) -> Meaning | None:
    """Tell of metadata that moved beyond what the other lines say."""
    known = {key for keys in _TOPICS.values() for key in keys}
    if old.get("kv_digest") == new.get("kv_digest") or any(old.get(key) != new.get(key) for key in known):
        return None
    return Meaning("other metadata", True, f"{old.get('kv_digest')} -> {new.get('kv_digest')}")
