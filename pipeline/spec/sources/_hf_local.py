"""What other Hugging Face tools keep on this machine: the endpoint, the token, the cache. Only read, by their environment variables."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.core.errors import UsageError

_PUBLIC = "https://huggingface.co"
_TOKEN = re.compile(r"[!-~]{1,4096}")
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})


def endpoint() -> str:
    """Return the hub's address: ``HF_ENDPOINT``, else the public one."""
    return (os.environ.get("HF_ENDPOINT") or _PUBLIC).rstrip("/")


def authorization() -> str | None:
    """Return the header's value for the token that is set or was left by a login, None without one.

    Raises UsageError, which never shows it, for a token that could not stand in a header.
    """
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return None
    if token := os.environ.get("HF_TOKEN", "").strip():
        return _bearer(token, "HF_TOKEN")
    path = _folder("HF_TOKEN_PATH", _home() / "token")
    try:
        with path.open("rb") as file:
            token = file.read(1 << 16).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        hint = "check who may read it, or set HF_TOKEN"
        raise UsageError(f"can't read the token in {path}: {error.strerror}", hint=hint) from None
    return _bearer(token, str(path)) if token else None


def cached(repo: str, commit: str, path: str) -> Path | None:
    """Return a file that another tool has downloaded, None where there is none. Its bytes are as trustworthy as any origin's.

    All three are checked names. Links are followed, but nothing outside of the cache is ever taken for a part of it.
    """
    cache = _folder("HF_HUB_CACHE", _home() / "hub")
    place = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / commit / path
    try:
        real = place.resolve(strict=True)
        return real if real.is_relative_to(cache.resolve()) and real.is_file() else None
    except (OSError, RuntimeError):  # none, or not for us, or links in a circle
        return None


def _bearer(token: str, source: str) -> str:
    if not _TOKEN.fullmatch(token):
        hint = "a token is one word, hf_…: make one at https://huggingface.co/settings/tokens"
        raise UsageError(f"what {source} holds is no token: it has spaces or control characters in it", hint=hint)
    return f"Bearer {token}"


def _home() -> Path:
    return _folder("HF_HOME", _folder("XDG_CACHE_HOME", Path("~/.cache").expanduser()) / "huggingface")


def _folder(variable: str, default: Path) -> Path:
    text = os.environ.get(variable)
    return Path(os.path.expandvars(text)).expanduser() if text else default
