"""Hugging Face references: ``hf://ORG/NAME[@REV]`` and then ``/PATH`` for a file or ``:QUANT`` for the file of that quant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from pipeline.core.errors import NetworkError, UsageError
from pipeline.core.names import fault_of
from pipeline.spec.sources._quant import is_quant

EXAMPLE = "hf://org/name-GGUF:Q4_K_M"
MAIN = "main"
_HINT = f"write for instance {EXAMPLE}, or hf://org/name@REVISION/file.gguf"
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}")
_REFERENCE = re.compile(
    r"hf://(?P<repo>[^/:@]+/[^/:@]+)(?:@(?P<rev>[^/:]*))?(?:/(?P<path>.*)|:(?P<quant>.*))?", re.DOTALL
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOT_IN_REVISIONS = frozenset("\\~^:?*[ ")
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Reference:
    """A repository at a revision, and in it a file (``path``) or a quantization (``quant``): one of both is empty."""

    repo: str
    rev: str
    path: str
    quant: str


def parse(reference: str) -> Reference:
    """Read a reference. Raises UsageError, which says what to write instead."""
    found = _REFERENCE.fullmatch(reference)
    if not found or not is_repo(found["repo"]):
        raise UsageError(f"{reference!r} names no repository of Hugging Face", hint=_HINT)
    path, quant = found["path"] or "", found["quant"] or ""
    rev = MAIN if found["rev"] is None else unquote(found["rev"])
    if not _is_revision(rev):
        raise UsageError(f"{reference!r} has no revision after its @", hint=f"{_HINT}; a slash in it is written %2F")
    if not path and not quant:
        raise UsageError(f"{reference!r} names no file", hint=_HINT)
    if path and (fault := fault_of(path)):
        raise UsageError(f"{reference!r} names no file: {fault}", hint=_HINT)
    if quant and not is_quant(quant):
        raise UsageError(f"{reference!r}: after the colon stands a quant, such as Q4_K_M", hint=_HINT)
    return Reference(found["repo"], rev, path, quant)


def pinned(repo: str, commit: str, path: str) -> str:
    """Return the reference to one file that can't move."""
    return f"hf://{repo}@{commit}/{path}"


def is_commit(rev: str) -> bool:
    """Tell whether a revision is a commit's whole name, which can't move."""
    return _COMMIT.fullmatch(rev) is not None


def is_repo(name: str) -> bool:
    """Tell whether ``name`` may be a repository's, by the hub's rules: they make it safe in URLs and in paths."""
    return bool(_REPO.fullmatch(name)) and "--" not in name and ".." not in name and not name.endswith(".git")


def safe(path: str, where: str) -> str:
    """Return a path that the hub says. Raises NetworkError for one that could lead anywhere."""
    if fault := fault_of(path):
        shown = repr(path[:100])
        raise NetworkError(f"{where}: the hub lists a file {shown}: {fault}", hint="no such file is ever fetched")
    return path


def _is_revision(rev: str) -> bool:
    """The rules of git for names, as far as they keep URLs and messages in order."""
    plain = rev.isprintable() and _NOT_IN_REVISIONS.isdisjoint(rev) and len(rev.encode()) <= _LONGEST_NAME
    return bool(rev) and plain and ".." not in rev and not rev.startswith(("/", "-", ".")) and not rev.endswith("/")
