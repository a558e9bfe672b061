"""A Hugging Face hub on loopback whose storage and front can be told to lie, to drip, to break off."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from tests.hubs._hf_repos import Upload
from tests.hubs.huggingface import Hub, _HubHandler, _StorageHandler
from tests.origin import served

_PIECE = 64 << 10


class Hostile(Hub):
    """``storage`` and ``front`` are asked first when a file is wanted, and tell whether they answered. ``sent`` counts the bytes of
    bodies that the storage sent; ``cap`` is how many it sends in all before it holds all connections still (0: no end).
    """

    def __init__(self) -> None:
        super().__init__()
        for server, handler in zip(self.servers, (Front, Storage), strict=True):
            server.RequestHandlerClass = handler
        self.storage: Callable[[Storage], bool] | None = None
        self.front: Callable[[Front], bool] | None = None
        self.counting = threading.Lock()
        self.sent = self.cap = 0
        self.turns: dict[str, int] = {}

    def turn(self, path: str) -> int:
        """Return how often ``path`` was asked for before."""
        with self.counting:
            self.turns[path] = self.turns.get(path, -1) + 1
            return self.turns[path]

    def begin(
        self, storage: Callable[[Storage], bool] | None = None, front: Callable[[Front], bool] | None = None
    ) -> None:
        """Count anew, and behave so from now on."""
        self.storage, self.front = storage, front
        self.sent = self.cap = 0
        self.turns.clear()


@contextmanager
def hostile() -> Iterator[Hostile]:
    """Run one for as long as the block lasts."""
    running = Hostile()
    with served(*running.servers):
        yield running


class Front(_HubHandler):
    """The hub itself. ``turn`` is how often this path was asked for before."""

    hub: Hostile
    turn = 0

    def answer(self) -> None:
        path = urlsplit(self.path).path
        if "/resolve/" in path and self.hub.front:
            self.turn = self.hub.turn(path)
            if self.hub.front(self):
                return
        self.honest()

    def honest(self) -> None:
        """Answer as the hub does."""
        super().answer()

    def redirect(self, location: str) -> bool:
        """Send the client elsewhere, with what the hub says of the file, so that it follows."""
        names = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        commit = self.hub.repos[f"{names[0]}/{names[1]}"].at(names[3])
        assert commit
        facts = commit.files["/".join(names[4:])].facts
        linked = {"X-Linked-Etag": f'"{facts["lfs"]["sha256"]}"', "X-Linked-Size": str(facts["size"])}
        self.reply(302, {"X-Repo-Commit": commit.id, **linked, "Location": location})
        return True


class Storage(_StorageHandler):
    """The storage. ``upload`` is what is asked for; ``turn`` is how often it was asked for before."""

    hub: Hostile
    upload: Upload
    turn = 0

    def file(self, upload: Upload, headers: Mapping[str, str], rate: float) -> None:
        self.upload = upload
        self.turn = self.hub.turn(urlsplit(self.path).path)
        if not (self.hub.storage and self.hub.storage(self)):
            self.serve(rate=rate)

    @property
    def name_asked(self) -> str:
        return unquote(urlsplit(self.path).path).rpartition("/")[2]

    def serve(
        self,
        content: bytes | None = None,
        *,
        ranges: bool = True,
        cut: int | None = None,
        drip: float = 0.0,
        shift: int = 0,
        total: int | None = None,
        length: int | None = None,
        headers: Mapping[str, str | None] = {},
        rate: float = 0.0,
    ) -> bool:
        """Send ``content`` instead of the file. ``ranges`` off ignores them; ``cut`` ends the connection after so many bytes; ``drip`` are
        seconds before every single byte; ``shift``, ``total`` and ``length`` are lies in Content-Range and Content-Length; a header of
        None is left out.
        """
        held = self.upload.content
        body = content if content is not None else held if isinstance(held, bytes) else held.read_bytes()
        start, end, status = 0, len(body), 200
        said: dict[str, str | None] = {}
        if ranges and (found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")):
            start, end, status = int(found[1]), min(len(body), int(found[2] or len(body)) + 1), 206
            if start >= len(body):
                self.reply(416, {"Content-Range": f"bytes */{total or len(body)}"})
                return True
            said["Content-Range"] = f"bytes {start + shift}-{end - 1 + shift}/{total or len(body)}"
        said |= {"Content-Length": str(end - start if length is None else length), "Accept-Ranges": "bytes", **headers}
        self.send_response(status)
        for name, value in said.items():
            if value is not None:
                self.send_header(name, value)
        self.close_connection = cut is not None or length is not None or said["Content-Length"] is None
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._body(memoryview(body)[start : end if cut is None else min(end, start + cut)], drip, rate)
        return True

    def _wait(self, seconds: float) -> None:
        """Sleep, or until the case is over."""
        behave, end = self.hub.storage, time.monotonic() + seconds
        while self.hub.storage is behave and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _body(self, body: memoryview, drip: float, rate: float) -> None:
        piece, began = 1 if drip else _PIECE, time.monotonic()
        for at in range(0, len(body), piece):
            self._wait(drip)
            while 0 < self.hub.cap <= self.hub.sent:
                time.sleep(0.01)
            part = body[at : at + piece]
            self.wfile.write(part)
            with self.hub.counting:
                self.hub.sent += len(part)
            if rate:
                time.sleep(max(0.0, began + (at + piece) / rate - time.monotonic()))
