"""An origin that tells what was shown to it, for hubs that lie: answers are put by path, as in ``tests/origin.py``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.origin import Origin, _Handler, served


class Watched(Origin):
    """``shown`` is each request's path with its Authorization; ``heads`` are the headers that HEAD gets, by path."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = _Watching
        self.shown: list[tuple[str, str | None]] = []
        self.heads: dict[str, dict[str, str]] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Watching(_Handler):
    server: Watched
    disable_nagle_algorithm = True  # else the kernel waits 40 ms for more to send

    def do_GET(self) -> None:
        self.server.shown.append((self.path, self.headers.get("Authorization")))
        super().do_GET()

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path in self.server.heads else 404)
        for name, value in self.server.heads.get(self.path, {}).items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def watched() -> Iterator[Watched]:
    """Run one for as long as the block lasts."""
    server = Watched()
    with served(server):
        yield server
