"""Engines that do as they are told, for what a real one does rarely."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.deploy.door.model import Upstream

Play = Callable[[socket.socket, bytes], object]
DIGEST, LOCK = "sha256:" + "a" * 64, "sha256:" + "b" * 64
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(content: bytes, head: bytes = OK) -> bytes:
    """Return an answer of known length."""
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


@contextmanager
def scripted(folder: Path, play: Play, name: str = "one", slots: int = 2, digest: str = DIGEST) -> Iterator[Upstream]:
    """Listen on a unix socket; ``play`` gets each connection with the request that came over it."""
    path = folder / f"{name}-{time.monotonic_ns()}.sock"
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(256)
        server.settimeout(0.05)

        def one(client: socket.socket) -> None:
            with client, suppress(OSError):
                client.settimeout(20)
                play(client, request_on(client))

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield Upstream(name, digest, LOCK, path, "engine-key", slots)
        finally:
            over.set()
            listening.join()


def request_on(client: socket.socket) -> bytes:
    """Read a request whose length is told."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(65536)
        if not piece:
            return got
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def gone(client: socket.socket, within: float = 5.0) -> bool:
    """Tell whether the other side closes in time."""
    client.settimeout(within)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
