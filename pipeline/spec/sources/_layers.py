"""What the layers of an OCI artifact are: by media type where it says so, else by the name that the packer gave.

Docker's model types (https://github.com/docker/model-spec, and Docker Model Runner's own spellings), those of the CNCF's ModelPack, and
plain artifacts with titles. A layer that is packed (tar, gzip) has another digest than the file in it, so it can't be pinned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.core.errors import NotThere, UsageError
from pipeline.spec.sources._base import Role
from pipeline.spec.sources._registry import Descriptor, Manifest
from pipeline.spec.sources._splits import split_set

_DOCKER = "application/vnd.docker.ai."
_DOCKER_ROLES: dict[str, Role] = {
    "gguf.v3": "weights",
    "gguf.v3.mmproj": "mmproj",
    "mmproj": "mmproj",
    "gguf.v3.lora": "lora",
    "lora": "lora",
    "license": "license",
    "chat.template.jinja": "chat_template",
}
_MODELPACK = re.compile(
    r"application/vnd\.(?:cncf|cnai)\.model\.(weight\.config|weight|doc|code|dataset)(?:\.v1)?(?:\.(.+))?"
)
_NAMES = ("org.cncf.model.filepath", "org.cnai.model.filepath", "org.opencontainers.image.title")
_PACKED = re.compile(r"(?:[.+](?:tar|gzip|zstd|zip)\b|\btar\b)")
_DEFAULT_NAMES: dict[Role, str] = {
    "weights": "model.gguf",
    "mmproj": "mmproj.gguf",
    "lora": "lora.gguf",
    "license": "LICENSE",
    "chat_template": "chat_template.jinja",
}


@dataclass(frozen=True)
class Part:
    """One file of a model. ``named`` is whether its packer gave it the name."""

    role: Role
    name: str
    named: bool
    layer: Descriptor


def parts_of(manifest: Manifest) -> tuple[list[Part], str]:
    """Return the weights, their shards, then the rest, and the rule in words. Raises NotThere that lists what is there."""
    parts = [part for layer in manifest.layers if (part := _part(layer, manifest.shown))]
    weights, rule = _weights([part for part in parts if part.role == "weights"], manifest)
    chosen = weights
    for role in ("mmproj", "lora", "chat_template", "license"):
        these = [part for part in parts if part.role == role]
        if role in ("mmproj", "chat_template") and len(these) > 1:
            rule = "; ".join(filter(None, (rule, f"of {len(these)} {role} layers the first, {these[0].name}")))
            these = these[:1]
        chosen = [*chosen, *these]
    return _distinct(chosen), rule


def _part(layer: Descriptor, shown: str) -> Part | None:
    name = _name(layer, shown)
    role = _role(layer.media_type, name)
    return Part(role, name or _DEFAULT_NAMES[role], bool(name), layer) if role else None


def _name(layer: Descriptor, shown: str) -> str:
    """Return the file's name without folders, "" where it has none. Raises NotThere for one that no file should have."""
    written = next((layer.annotations[key] for key in _NAMES if layer.annotations.get(key)), "")
    path = PurePosixPath(written)
    if (
        not written.isprintable()
        or "\\" in written
        or path.is_absolute()
        or ".." in path.parts
        or re.match("[A-Za-z]:", written)
        or len(path.name.encode()) > 255
    ):
        raise NotThere(f"{shown}: a layer is called {written[:200]!r}", hint="this is no name for a file: don't use it")
    return path.name


def _role(media_type: str, name: str) -> Role | None:
    if media_type.startswith(_DOCKER):
        kind = media_type.removeprefix(_DOCKER)
        role = _DOCKER_ROLES.get(kind)
        if role == "weights" and _is_projector(name):
            return "mmproj"
        return role or (_by_name(name) if kind == "model.file" else None)
    if found := _MODELPACK.fullmatch(media_type):
        kind, form = found[1], found[2] or "raw"
        if kind == "weight" and form == "gguf":
            return "mmproj" if _is_projector(name) else "weights"
        return _by_name(name) if form == "raw" and kind in ("weight", "weight.config", "doc") else None
    return None if _PACKED.search(media_type) else _by_name(name)


def _by_name(name: str) -> Role | None:
    low = name.lower()
    if low.endswith(".gguf"):
        return "mmproj" if _is_projector(name) else "weights"
    if low.endswith(".jinja"):
        return "chat_template"
    return "license" if re.match(r"licen[cs]e\b", low) and not _PACKED.search(low) else None


def _is_projector(name: str) -> bool:
    return "mmproj" in name.lower()


def _weights(weights: list[Part], manifest: Manifest) -> tuple[list[Part], str]:
    if not weights:
        raise _none(manifest)
    if len(weights) == 1:
        only = weights[0]
        whole = split_set(only.name)
        if len(whole) > 1:
            raise NotThere(f"{manifest.shown}: of {len(whole)} files of a split set only {only.name} is there")
        return weights, ""
    named = {part.name: part for part in weights if part.named}
    if not named:  # as Docker Model Runner packs and names them
        count = len(weights)
        return [
            Part("shard" if number > 1 else "weights", f"model-{number:05d}-of-{count:05d}.gguf", False, part.layer)
            for number, part in enumerate(weights, 1)
        ], f"{count} GGUF layers without names are a split set in their order"
    first = min(named)
    try:
        whole = split_set(first)
    except UsageError:
        whole = ()
    if len(named) != len(weights) or sorted(whole) != sorted(named):
        listed = ", ".join(sorted(named)) or f"{len(weights)} without names"
        hint = "pack one of them, or one whole split set, in an artifact of its own"
        raise NotThere(f"{manifest.shown} holds several models: {listed}", hint=hint)
    return [
        Part("shard" if number else "weights", name, True, named[name].layer) for number, name in enumerate(whole)
    ], ""


def _none(manifest: Manifest) -> NotThere:
    packed = [layer for layer in manifest.layers if _PACKED.search(layer.media_type)]
    config = manifest.config.media_type if manifest.config else ""
    if packed and config.startswith(("application/vnd.oci.image.config", "application/vnd.docker.container")):
        return NotThere(f"{manifest.shown} is a container image, not a model", hint="name a model's artifact")
    if packed:
        return NotThere(
            f"{manifest.shown} is packed ({packed[0].media_type}); its digest is not the file's",
            hint="pull and unpack it with its own tool and use file:, or push the GGUF file as a layer as it is",
        )
    kinds = sorted({layer.media_type or "of no type" for layer in manifest.layers}) or ["none"]
    return NotThere(
        f"{manifest.shown} holds no GGUF file; its layers are: {', '.join(kinds[:8])}", hint="is it a model?"
    )


def _distinct(parts: Sequence[Part]) -> list[Part]:
    """Give a number to further files of one name, case aside. The weights come first and keep theirs: llama.cpp goes by it."""
    seen: set[str] = set()
    result = []
    for part in parts:
        name, number = part.name, 1
        while name.casefold() in seen:
            number += 1
            stem, dot, suffix = part.name.partition(".")
            name = f"{stem}-{number}{dot}{suffix}"
        seen.add(name.casefold())
        result.append(Part(part.role, name, part.named, part.layer))
    return result
