"""Serve one locked model on this machine: hash, start, prove, watch, stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.errors import DigestMismatch, EngineError, UsageError
from pipeline.core.files import atomic_write, locked
from pipeline.core.http import is_loopback
from pipeline.core.proc import Process, ending, spawn
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.session import Session, Stored
from pipeline.lock.model import Lockfile
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import READY_WITHIN, new_key, prove, wait_ready

_WATCH_EVERY = 2.0
_GRACE = 3.0


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

    Raises DigestMismatch when the stored bytes are not the locked ones (before the start, or changed while it runs), EngineError when
    llama-server fails or is not what the lock says, UsageError for an address that can't be used.
    """
    if not is_loopback(host):
        raise UsageError(f"{host} is not this machine's loopback", hint="serve binds to 127.0.0.1; put a front door with TLS before it")
    fetch_all(session, [lock])
    verify_all(session, [lock], deep=True)
    folder = session.project.state / "serve" / lock.name
    with locked(folder / "lock", wait=0.0):
        process: Process | None = None
        try:
            process, service = _start(session, session.stored(lock), folder, host, _free(host, port))
            started(service)
            _watch(session, service)
        except KeyboardInterrupt:
            session.progress.note("stopping")
        finally:
            if process is not None:
                process.stop(_GRACE)


def _start(session: Session, stored: Stored, folder: Path, host: str, port: int) -> tuple[Process, Service]:
    lock, build = stored.lock, session.require_engine(stored.lock)
    key_file, log = folder / "key", folder / "log"
    if not key_file.exists():
        atomic_write(key_file, new_key() + "\n", 0o600)
    log.unlink(missing_ok=True)
    listen, threads = Listen(host, port), session.threads(lock)
    argv = server_argv(
        lock,
        weights=stored.weights,
        template=stored.template,
        listen=listen,
        key_file=key_file.resolve(),
        threads=threads,
    )
    process = spawn((str(build.server), *argv), env=build.environment, log=log)
    try:
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        headers = {"Authorization": f"Bearer {key_file.read_text().strip()}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as client, session.progress.task(f"load {lock.name}"):
            wait_ready(process, client, listen, READY_WITHIN)
            props = prove(client, lock, stored.weights)
    except BaseException:
        process.stop(_GRACE)
        raise
    names = (lock.name, f"{lock.name}@{lock.weights.sha256}")
    return process, Service(lock, process, url, key_file, log, names, props)


def _watch(session: Session, service: Service) -> None:
    """Wait for the server's end; stop serving when a served file is no longer the one that was verified."""
    while (code := service.process.wait(_WATCH_EVERY)) is None:
        for file in service.lock.files:
            path, receipt = session.store.path(file.digest), session.store.receipt(file.digest)
            stat = None
            with suppress(OSError):
                stat = path.stat()
            if stat is None or receipt is None or not receipt.fits(stat):
                raise DigestMismatch(
                    f"{path} changed while it was served ({file.path}, {file.digest})",
                    hint="serving was stopped; run assay verify --deep to see what is there now",
                )
    raise EngineError(f"llama-server ended by itself: {ending(code)}\n{service.process.log_tail(10)}", hint=f"see {service.log}")


def _free(host: str, port: int) -> int:
    """Return ``port`` if nobody listens there, or a free one for 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"can't listen on {host}:{port}: {os.strerror(error.errno or 0)}", hint="choose another: --port 0") from None
        free: int = probe.getsockname()[1]
        return free
