"""Serve one locked model on this machine: hash, start, prove, watch, stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from pipeline.core.errors import EngineError, UsageError
from pipeline.core.files import atomic_write, locked
from pipeline.core.http import is_loopback
from pipeline.core.proc import Process, ending, spawn
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session, Stored
from pipeline.flow.watch import Watch
from pipeline.lock.model import Lockfile
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import READY_WITHIN, new_key, prove, wait_ready

_LOOK_EVERY = 1.0
_GRACE = 2.0
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class Service:
    """A server that was verified, started and proven. ``names`` are the model names it answers to."""

    lock: Lockfile
    process: Process
    url: str
    key_file: Path
    log: Path
    names: tuple[str, ...]
    props: dict[str, Any]


def serve(session: Session, lock: Lockfile, *, host: str, port: int, started: Callable[[Service], None]) -> None:
    """Serve until interrupted. ``started`` is called once, when the server is ready and proven.

    Raises DigestMismatch when the stored bytes are not the locked ones (before the start, or changed while it runs),
    EngineError when llama-server fails or is not what the lock says, UsageError for an address or a key that can't be
    used, KeyboardInterrupt when interrupted before it was ready.
    """
    if not is_loopback(host):
        hint = "serve binds to 127.0.0.1; put a front door with TLS before it"
        raise UsageError(f"{host} is not this machine's loopback", hint=hint)
    host = "127.0.0.1" if host == "localhost" else host
    fetch_all(session, [lock])
    folder = session.project.state / "serve" / lock.name
    with locked(folder / "lock", wait=0.0):
        watch = Watch(session, lock)
        process, service = _start(session, session.stored(lock), folder, host, _free(host, port))
        try:
            watch.look()
            started(service)
            _wait(process, watch, service.log)
        except KeyboardInterrupt:
            session.progress.note("stopping")
        finally:
            process.stop(_GRACE)


def _wait(process: Process, watch: Watch, log: Path) -> NoReturn:
    while (code := process.wait(_LOOK_EVERY)) is None:
        watch.look()
    raise EngineError(f"llama-server ended by itself: {ending(code)}\n{process.log_tail(10)}", hint=f"see {log}")


def _start(session: Session, stored: Stored, folder: Path, host: str, port: int) -> tuple[Process, Service]:
    lock, build = stored.lock, session.require_engine(stored.lock)
    key_file, log = folder / "key", folder / "log"
    key = _key(key_file)
    log.unlink(missing_ok=True)
    listen = Listen(host, port)
    argv = server_argv(
        lock,
        weights=stored.weights,
        template=stored.template,
        mmproj=stored.mmproj,
        listen=listen,
        key_file=key_file.resolve(),
        threads=session.threads(lock),
    )
    process = spawn((str(build.server), *argv), env=build.environment, log=log)
    try:
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
            with session.progress.task(f"load {lock.name}"):
                wait_ready(process, listen, READY_WITHIN)
            props = prove(client, lock, stored.weights)
    except BaseException:
        process.stop(_GRACE)
        raise
    names = (lock.name, f"{lock.name}@{lock.weights.sha256}")
    return process, Service(lock, process, url, key_file, log, names, props)


def _key(path: Path) -> str:
    """Return the API key of a model, made once; of several lines the first. Raises UsageError for a file that protects
    nothing.
    """
    if not path.exists():
        atomic_write(path, f"{new_key()}\n", 0o600)
    keys = path.read_text(errors="replace").split()
    if not keys or min(map(len, keys)) < _SHORTEST_KEY:
        raise UsageError(
            f"{path} holds no key of {_SHORTEST_KEY} characters or more", hint="remove it, and a new one is made"
        )
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} can be read by others", hint=f"chmod 600 {path}, or remove it, and a new key is made")
    return keys[0]


def _free(host: str, port: int) -> int:
    """Return ``port`` if nobody listens there, or a free one for 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise UsageError(f"can't listen on {host}:{port}: {reason}", hint="choose another: --port 0") from None
        free: int = probe.getsockname()[1]
        return free
