"""What an origin sends in place of a model: login pages, pointers to large files that it doesn't have."""

from __future__ import annotations

from pathlib import Path

_HEAD = 512
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype html", b"<html")
_WEIGHTS = frozenset({"weights", "shard", "mmproj", "lora"})


def foreign(head: bytes) -> str:
    """Return what the beginning of a file gives away, as ``an HTML page came``; nothing for what may be a model."""
    if head.startswith(_POINTER):
        return "a Git LFS pointer came instead of the file"
    if head[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "an HTML page came instead of the file"
    return ""


def foreign_file(path: Path, role: str, name: str) -> str:
    """Return what a file is that should be the one of this role and name, where its beginning shows that it is not."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if said := foreign(head):
        return said
    if role in _WEIGHTS and name.endswith(".gguf") and head and not head.startswith(b"GGUF"):
        return "what came is no GGUF file"
    return ""
