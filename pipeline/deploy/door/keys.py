"""API keys: a file of lines ``NAME KEY``, or a key alone; read again when it changes."""

from __future__ import annotations

import hmac
import os
import re
import stat
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from pipeline.core.errors import UsageError

SHORTEST = 16
ANONYMOUS = "default"
_MOST_BYTES = 1 << 20
_LOOK_EVERY = 0.5
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_KEY = re.compile(r"[!-~]+")


def read_keys(path: Path) -> dict[bytes, str]:
    """Return the callers by the SHA-256 of their keys. ``#`` begins a comment line.

    Raises UsageError for a file that others can read, or that protects nothing. Messages hold no key.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="a file of lines NAME KEY, for you alone") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise UsageError(f"{path} is no file of keys", hint="a file of lines NAME KEY, for you alone")
        if found.st_mode & 0o077:
            raise UsageError(f"{path} can be read by others", hint=f"chmod 600 {path}")
        text = os.read(handle, _MOST_BYTES).decode(errors="replace")
    finally:
        os.close(handle)
    callers: dict[bytes, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or line.lstrip().startswith("#"):
            continue
        name, key = parts if len(parts) == 2 else (ANONYMOUS, parts[0])
        if len(parts) > 2 or not _NAME.fullmatch(name) or not _KEY.fullmatch(key):
            raise UsageError(f"{path}:{number}: not a line NAME KEY", hint="a name of letters and digits, then the key")
        if len(key) < SHORTEST:
            message = f"{path}:{number} holds no key of {SHORTEST} characters or more"
            raise UsageError(message, hint="python3 -c 'import secrets; print(secrets.token_urlsafe())' prints one")
        if callers.setdefault(_mark(key.encode()), name) != name:
            raise UsageError(f"{path}:{number}: the key of {name} is another caller's too", hint="one key, one caller")
    if not callers:
        raise UsageError(
            f"{path} holds no key of {SHORTEST} characters or more", hint="a line NAME KEY for each caller"
        )
    return callers


class Keys:
    """The keys of a file. A change counts within a second; a new file that can't be used changes nothing, and
    ``refused`` says why.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._seen = self._look()
        self._callers = read_keys(path)
        self._next = clock() + _LOOK_EVERY
        self.refused = ""

    def caller(self, key: str) -> str | None:
        """Return whose key it is. How long that takes does not depend on how much of it is right."""
        self._renew()
        mark, found = _mark(key.encode(errors="replace")), None
        for one, name in self._callers.items():
            if hmac.compare_digest(one, mark):
                found = name
        return found

    def _renew(self) -> None:
        if self._clock() < self._next:
            return
        self._next = self._clock() + _LOOK_EVERY
        now = self._look()
        if now == self._seen:
            return
        self._seen = now
        try:
            self._callers, self.refused = read_keys(self._path), ""
        except UsageError as error:
            self.refused = error.message

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _mark(key: bytes) -> bytes:
    return sha256(key).digest()


def key_of(headers: dict[str, str]) -> str:
    """Return the key that a request brings: ``Authorization: Bearer``, or ``X-Api-Key`` as Anthropic's clients do."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "").strip()
