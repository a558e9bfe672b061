"""Who we are to a registry: what ``docker login`` left behind, read when it is asked for and kept nowhere.

``$REGISTRY_AUTH_FILE``, else ``$DOCKER_CONFIG/config.json``, else ``~/.docker/config.json``. A credential helper that this file names is
a program: it is run, with the registry's name on its standard input.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError

DOCKER_HUB = "docker.io"
_HELPER = re.compile(r"[a-z0-9-]{1,64}")
_HELPER_SECONDS = 10.0
_LARGEST = 1 << 20
# What Docker's own files call Docker Hub.
_HUB_KEY = "https://index.docker.io/v1/"
_REFRESHING = "<token>"


@dataclass(frozen=True)
class Credentials:
    """A name and a password, or a refresh token (then there is no name). ``place`` says where they are from; no secret is ever shown."""

    place: str
    user: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def refreshes(self) -> bool:
        """Whether the secret is a refresh token, to be traded at the token service."""
        return not self.user

    @property
    def basic(self) -> str:
        """The header's value that shows them."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def credentials_for(host: str, repository: str) -> Credentials | None:
    """Return what is known for a registry (``host[:port]``, ``docker.io`` for Docker Hub), or for one part of it.

    Raises UsageError for a file that can't be read, and for a helper that is missing or fails; no message holds a secret.
    """
    path = _file()
    config = _read(path)
    helpers, store = config.get("credHelpers"), config.get("credsStore")
    keys = (_HUB_KEY, host) if host == DOCKER_HUB else (host,)
    named = [helpers[key] for key in keys if key in helpers] if isinstance(helpers, dict) else []
    for helper in (*named, *([store] if store else [])):
        if found := _helped(helper, keys[0], path):
            return found
    entries = config.get("auths")
    if isinstance(entries, dict):
        known = {_plain(key): entry for key, entry in entries.items() if isinstance(entry, dict)}
        for key in _narrowing(host, repository):
            if (entry := known.get(key)) and (found := _entry(entry, path)):
                return found
    return None


def _file() -> Path:
    if told := os.environ.get("REGISTRY_AUTH_FILE"):
        return Path(told)
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}", hint="it holds the logins of registries") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON", hint="it holds the logins of registries: run docker login") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} is no JSON object", hint="it holds the logins of registries: run docker login")
    return content


def _narrowing(host: str, repository: str) -> Iterator[str]:
    """Yield what an entry may be called, the most particular first: podman's files have entries for parts of a registry."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield f"{host}/{'/'.join(parts[:length])}"
    yield host


def _plain(key: str) -> str:
    """Return an entry's key as ``host[:port][/part]``."""
    plain = re.sub(r"^https?://", "", key)
    plain = re.sub(r"/(v[12]/?)?$", "", plain)
    return re.sub(r"^(index|registry-1)\.docker\.io\b", DOCKER_HUB, plain)


def _entry(entry: Mapping[str, Any], path: Path) -> Credentials | None:
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Credentials(str(path), "", token)
    packed = entry.get("auth")
    if not isinstance(packed, str) or not packed:
        return None
    try:
        user, colon, secret = base64.b64decode(packed, validate=True).decode().rstrip("\0").partition(":")
    except ValueError:
        colon, user, secret = "", "", ""
    if not colon or not user:
        raise UsageError(f"{path}: an auth entry is no base64 of user:password", hint="run docker login again")
    return Credentials(str(path), user, secret)


def _helped(name: object, key: str, path: Path) -> Credentials | None:
    """Ask a credential helper; None where it knows nothing of this registry."""
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise UsageError(f"{path}: {name!r} is no name of a credential helper", hint="correct credsStore, credHelpers")
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run([program, "get"], input=key.encode(), capture_output=True, timeout=_HELPER_SECONDS)
    except OSError as error:
        hint = "install it, or log in without it"
        raise UsageError(f"{path} names {program}, which can't be run: {error.strerror}", hint=hint) from None
    except subprocess.TimeoutExpired:
        message = f"{program} gave no answer in {_HELPER_SECONDS:.0f} s"
        raise UsageError(message, hint="does it wait for a password? unlock its store first") from None
    if done.returncode:
        if b"not found" in done.stdout or b"not found" in done.stderr:
            return None
        raise UsageError(f"{program} failed with exit code {done.returncode}", hint=f"try it by hand: {program} list")
    try:
        said = json.loads(done.stdout)
        user, secret = said["Username"], said["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise UsageError(f"{program} does not answer as credential helpers do", hint="is it the right program?")
    return Credentials(program, "" if user == _REFRESHING else user, secret) if secret else None
