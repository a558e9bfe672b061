"""What a client is: a module that writes down how it is told to use a served model."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover

KEY = "ASSAY_API_KEY"


@dataclass(frozen=True)
class Target:
    """A model as clients reach it. ``url`` has no path: ``/v1`` is added where a client wants it. ``context`` and ``answer`` are the
    tokens that one conversation may have, and one answer of it. ``key_file`` holds the key, which is never printed.
    """

    name: str
    pinned: str
    url: str
    key_file: Path
    context: int
    answer: int

    @property
    def v1(self) -> str:
        """Where the OpenAI-compatible endpoints are."""
        return f"{self.url}/v1"

    @property
    def export(self) -> str:
        """A shell command that puts the key into the environment, without showing it."""
        return f'export {KEY}="$({self.read})"'

    @property
    def read(self) -> str:
        """A shell command that prints the first key: the last word of the first line that is no comment."""
        return f"awk '!/^ *#/ && NF {{print $NF; exit}}' {shlex.quote(str(self.key_file))}"


class Client(Protocol):
    """A module of this package."""

    def render(self, target: Target) -> str:
        """Return a configuration that is ready to be used, with comments on where it goes."""


def clients() -> dict[str, Client]:
    """Return the clients by name: that of the module, with dashes."""
    found = discover("pipeline.connect")
    return {name.replace("_", "-"): cast(Client, module) for name, module in found.items()}


def client_of(name: str) -> Client:
    """Return one client. Raises UsageError with those that there are."""
    known = clients()
    if name not in known:
        raise UsageError(f"no client {name!r} to connect", hint=f"one of: {', '.join(known)}")
    return known[name]


def quoted(text: str) -> str:
    """Return a text as a string of Python, JSON and YAML alike."""
    return json.dumps(text, ensure_ascii=True)
