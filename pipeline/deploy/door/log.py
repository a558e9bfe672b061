"""The access log: one line of JSON a request, for your account alone, of bounded size. No prompt stands in it unless asked
for.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LARGEST = 64 << 20


@dataclass
class Entry:
    """What is known of a request. Times are seconds: ``wait`` in the queue, ``first`` until the first byte of the
    engine's body, ``total``. ``end``: ``whole``, ``refused``, or how it broke off.
    """

    id: str
    client: str
    method: str = ""
    path: str = ""
    caller: str = ""
    status: int = 0
    reason: str = ""
    end: str = ""
    model: str = ""
    digest: str = ""
    lock: str = ""
    wait: float | None = None
    first: float | None = None
    total: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    received: int = 0
    sent: int = 0
    body: str | None = field(default=None, repr=False)

    def line(self) -> bytes:
        """Return it as JSON, without what is not known."""
        content: dict[str, Any] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        for key, value in self.__dict__.items():
            if value is not None and value != "":
                content[key] = round(value, 6) if isinstance(value, float) else value
        return json.dumps(content).encode() + b"\n"


class AccessLog:
    """The file, mode 0600. Beyond ``largest`` bytes it becomes ``NAME.1``, in place of the one before.

    A full disk loses lines, not requests; ``lost`` counts them.
    """

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self.path, self._largest = path, largest
        self.lost = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = -1
        self._open()

    def write(self, entry: Entry) -> None:
        """Append one line, whole or not at all."""
        line = entry.line()
        try:
            if self._size + len(line) > self._largest:
                self._turn()
            written = os.write(self._handle, line)
            if written < len(line):  # the disk is full now
                os.ftruncate(self._handle, self._size)
                self.lost += 1
            else:
                self._size += written
        except OSError:
            self.lost += 1

    def _turn(self) -> None:
        with suppress(FileNotFoundError):  # it was moved, but a new one could not be made then
            os.replace(self.path, self.path.with_name(f"{self.path.name}.1"))
        self._open()

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with suppress(OSError):
            os.fchmod(handle, 0o600)
        self.close()
        self._handle = handle
        self._size = os.fstat(handle).st_size
