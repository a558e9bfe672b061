"""What an upgrade means, in the terms of who runs the model: weights, template, stop tokens, context, licence, quantization."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.gguf.header import Header
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.spec.sources._base import Role


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
    old: Lockfile,
    new: Lockfile,
    weights: tuple[bool | None, str],
    templates: tuple[str | None, str | None],
    keys: tuple[str, ...] | None = None,
    *,
    compared: bool = True,
) -> tuple[Meaning, ...]:
    """Return what the step from ``old`` to ``new`` means, the weights and the template first, whether they moved or not. ``weights``
    is the answer of ``compare``, or why there is none (``compared`` False); ``templates`` the texts of both, ``keys`` the metadata that
    moved, None where nobody can tell.
    """
    same, how = weights
    words = {True: "unchanged", False: "changed", None: "seem unchanged" if compared else "not compared"}[same]
    beside = moved(roles(old.files), roles(new.files))
    found = [
        _pair("source", old.source.resolved, new.source.resolved),
        Meaning("weights", None if same is None else not same, f"{words} ({how})"),
        _template(*templates, beside.pop(TEMPLATE, "")),
        *(Meaning(topic, True, said) for topic, said in beside.items() if topic != WEIGHTS),
        *(_pair(topic, _say(old, names), _say(new, names)) for topic, names in _TOPICS.items()),
        _pair("licence", old.license.id, new.license.id),
        _pair("size", *(f"{sum(file.size for file in lock.shards):,} bytes" for lock in (old, new))),
    ]
    found = [one for one in found if one.changed is not False or one.topic in (WEIGHTS, TEMPLATE)]
    return (*found, *_other(old, new, keys, {one.topic for one in found if one.changed}))


WEIGHTS, TEMPLATE = "weights", "chat template"
_ROLES: dict[str, str] = {
    "weights": WEIGHTS,
    "shard": WEIGHTS,
    "chat_template": TEMPLATE,
    "template": TEMPLATE,
    "system": "system prompt",
    "license": "licence file",
}
Described = dict[str, list[tuple[str, str]]]


def roles(files: Iterable[LockedFile]) -> Described:
    """Return names and digests of files by what they are for, in words."""
    found: Described = {}
    for file in files:
        found.setdefault(role_in_words(file.role), []).append((file.path, file.sha256))
    return found


def role_in_words(role: Role) -> str:
    """Return what a file is for, as people say it."""
    return _ROLES.get(role, role)


def moved(old: Described, new: Described) -> dict[str, str]:
    """Return which roles have other files than before, and in a word how. Only the weights' order counts."""
    found = {}
    for role in dict.fromkeys((*old, *new)):
        before, after = (list(side.get(role, ())) for side in (old, new))
        if role != WEIGHTS:
            before, after = sorted(before), sorted(after)
        if before != after:
            renamed = [digest for _, digest in before] == [digest for _, digest in after]
            found[role] = "added" if not before else "removed" if not after else "renamed" if renamed else "changed"
    return found


_TOPICS = {
    "stop tokens": ("eos_token", "eot_token"),
    "start token": ("bos_token", "add_bos"),
    "context": ("context_length",),
    "quantization": ("quantization",),
    "architecture": ("architecture",),
    "pre-tokenizer": ("tokenizer_pre",),
    "vocabulary": ("vocabulary",),
}
# Which of these lines tells of a metadata key, if it moved; a context's key has the architecture before it.
_TOLD = {
    "tokenizer.chat_template": TEMPLATE,
    "tokenizer.ggml.eos_token_id": "stop tokens",
    "tokenizer.ggml.eot_token_id": "stop tokens",
    "tokenizer.ggml.bos_token_id": "start token",
    "tokenizer.ggml.add_bos_token": "start token",
    "tokenizer.ggml.pre": "pre-tokenizer",
    "general.architecture": "architecture",
    "general.file_type": "quantization",
    "general.license": "licence",
}


def moved_keys(old: Header, new: Header) -> tuple[str, ...]:
    """Return the metadata keys whose value is not the same in both, or which only one has."""

    def raw(header: Header, key: str) -> bytes | None:
        return header.raw(key) if key in header.metadata else None

    return tuple(key for key in sorted({*old.metadata, *new.metadata}) if raw(old, key) != raw(new, key))


def _say(lock: Lockfile, keys: tuple[str, ...]) -> str:
    return ", ".join(str(lock.gguf[key]) for key in keys if lock.gguf.get(key) is not None) or "none"


def _pair(topic: str, old: Any, new: Any) -> Meaning:
    return Meaning(topic, old != new, f"{old or 'none'} -> {new or 'none'}")


def _template(old: str | None, new: str | None, beside: str) -> Meaning:
    """Tell of the template in the weights, and of one in a file beside them."""
    lines: tuple[str, ...] = ()
    if old == new:
        said = "unchanged" if new is not None else "none, as before"
    elif old is None or new is None:
        said = "added" if old is None else "removed"
    else:
        said = "changed"
        lines = tuple(difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "after", lineterm="", n=2))
    if beside:
        return Meaning(TEMPLATE, True, f"its own file is {beside}; in the weights: {said}", lines)
    return Meaning(TEMPLATE, old != new, said, lines)


def _other(old: Lockfile, new: Lockfile, keys: tuple[str, ...] | None, told: set[str]) -> tuple[Meaning, ...]:
    """Tell of metadata that moved beyond what the lines ``told`` say."""
    before, after = (lock.gguf.get("kv_digest") for lock in (old, new))
    if before == after:
        return ()
    if keys is None:
        if told.isdisjoint(_TOPICS):
            return (Meaning("other metadata", True, f"{before} -> {after}"),)
        return (Meaning("other metadata", None, f"may have moved too, the locks don't tell ({before} -> {after})"),)
    topics = _TOLD | {f"{lock.gguf.get('architecture')}.context_length": "context" for lock in (old, new)}
    rest = [key for key in keys if topics.get(key) not in {*told, TEMPLATE}]
    return (Meaning("other metadata", True, ", ".join(rest)),) if rest else ()
