"""The front door itself: who may come in, which model is meant, one place at its engine, and a line in the log."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Iterable

from pipeline.core.errors import UsageError
from pipeline.deploy.door.answers import Answer, Headers, Refusal, as_json
from pipeline.deploy.door.bounds import check_bounds
from pipeline.deploy.door.connection import Connection
from pipeline.deploy.door.engine import fetch, request_bytes
from pipeline.deploy.door.hosts import LOOPBACK, check_host, cors, preflight
from pipeline.deploy.door.keys import Keys, key_of
from pipeline.deploy.door.log import AccessLog, Entry
from pipeline.deploy.door.media import check_media
from pipeline.deploy.door.metrics import Metrics
from pipeline.deploy.door.model import Settings, Upstream
from pipeline.deploy.door.names import choose, content_of, described, listed, model_in, unknown
from pipeline.deploy.door.paths import OPEN, Route, Way, check_profile, route
from pipeline.deploy.door.relay import Relay
from pipeline.deploy.door.request import Request
from pipeline.deploy.door.rooms import Room

_METRICS_WITHIN = 2.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Door:
    """A front door on one listening socket. All methods belong to its event loop; ``beside`` has those for other threads.

    Raises UsageError when made with a file of keys, a certificate or names that can't be used.
    """

    def __init__(
        self, settings: Settings, upstreams: Iterable[Upstream], news: Callable[[], object] = lambda: None
    ) -> None:
        settings.check()
        self.settings, self.limits, self.held = settings, settings.limits, 0
        self._tls = settings.context()
        self._keys = Keys(settings.keys)
        self._hosts = LOOPBACK | settings.hosts
        self._rooms: dict[str, Room] = {}
        self._news = news
        for one in upstreams:
            self.replace(one)
        self._log = AccessLog(settings.log)
        self._metrics = Metrics()
        self._connections: set[Connection] = set()
        self._entries: dict[Connection, tuple[Entry, Route, list[tuple[str, str]], float]] = {}
        self._server: asyncio.Server | None = None
        self.draining = False

    async def open(self, listening: socket.socket) -> None:
        """Take connections from a socket that is bound."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=listening,
            ssl=self._tls,
            backlog=1024,
            ssl_handshake_timeout=self.limits.head if self._tls else None,
        )

    def replace(self, upstream: Upstream) -> None:
        """Let an engine answer to its name from now on. What is at the engine before it ends there: see ``empty``."""
        if room := self._rooms.get(upstream.name):
            room.replace(upstream)
        else:
            self._rooms[upstream.name] = Room(upstream, self.limits.queue, self.limits.wait, self._news)

    def room(self, name: str) -> Room:
        """Return the place of a model, to pause it, to close it or to wait until it is empty. Raises UsageError."""
        if name not in self._rooms:
            raise UsageError(f"{name} is not behind this door", hint=f"there are: {', '.join(self._rooms)}")
        return self._rooms[name]

    def remove(self, name: str) -> None:
        """Serve a model no more: it is unknown from now on; what it has, it ends."""
        room = self.room(name)
        del self._rooms[name]
        room.close("it is no longer served")

    async def drain(self, within: float) -> bool:
        """Take no new connections, let every request end, then close; after ``within`` seconds break the rest off.

        Returns whether all came to their end.
        """
        self.draining = True
        if self._server:
            self._server.close()
        for one in list(self._connections):
            one.last()
        end = time.monotonic() + within
        while self._connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        left = list(self._connections)
        tasks = [one.task for one in left if one.task]
        for one in left:
            one.abort()
        while self._connections:
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._log.close()
        return not left

    def joined(self, one: Connection) -> bool:
        """A client has come."""
        self._connections.add(one)
        self._metrics.connections.set(len(self._connections))
        return len(self._connections) <= self.limits.connections

    def left(self, one: Connection) -> None:
        """A client has gone."""
        self._connections.discard(one)
        if (unread := self._entries.pop(one, None)) is not None:
            unread[0].end = "client went"
            self._write(unread[0], one, unread[3])
        self._metrics.connections.set(len(self._connections))

    def admit(self, one: Connection, request: Request) -> None:
        """Judge a request by its head. Raises Refusal."""
        entry = Entry(
            secrets.token_hex(8), one.client, method=request.method, path=request.target.partition("?")[0][:200]
        )
        extra: list[tuple[str, str]] = [("X-Request-Id", entry.id)]
        self._entries[one] = entry, Route(Way.LIVE, ""), extra, time.monotonic()
        if len(self._rooms) == 1:
            extra += self._naming(entry, next(iter(self._rooms.values())).upstream)
        found: Route | None = None
        refused: Refusal | None = None
        try:
            found = route(request.method, request.target)
        except Refusal as refusal:
            refused = refusal  # what there is and what not is told only to those who have a key
        if found is None or found.way not in OPEN:
            check_host(request.hosts, self._hosts)
        if origin := request.headers.get("origin"):
            extra += cors(origin, self.settings.origins)
            if request.method == "OPTIONS":
                raise _Preflight(preflight(request.headers.get("access-control-request-headers", "")))
        if found is None or found.way not in OPEN:
            entry.caller = self._caller(request)
        if found is None:
            raise refused or Refusal(404, "no_such_path", "no such path here")
        request.check(self.limits.body_size)
        self._entries[one] = entry, found, extra, time.monotonic()

    def _caller(self, request: Request) -> str:
        caller = self._keys.caller(key_of(request.headers))
        if caller is None:
            wanted = [("WWW-Authenticate", "Bearer")]
            raise Refusal(401, "wrong_key", "no valid API key came with the request", wanted)
        return caller

    def refused(self, one: Connection, request: Request, answer: Answer) -> None:
        """Answer a request that was refused before it was whole."""
        entry, _, extra, began = self._entries.pop(one, None) or (
            Entry(secrets.token_hex(8), one.client),
            None,
            [],
            0.0,
        )
        one.answer(answer, extra)
        entry.status, entry.reason = answer.status, answer.reason
        self._write(entry, one, began or time.monotonic())

    async def handle(self, one: Connection, request: Request) -> None:
        """Answer a whole request."""
        entry, found, extra, began = self._entries.pop(one)
        if self.settings.bodies:
            entry.body = request.body.decode(errors="replace")
        entry.received = len(request.body)
        entry.end = "client went"
        try:
            if self.draining:
                one.last()
            if found.way in (Way.GENERATE, Way.ASK):
                await self._pass(one, request, entry, found, extra, began)
            else:
                answer = await self._here(found)
                entry.status = answer.status
                one.answer(answer, extra)
                entry.end = "whole"
        except Refusal as refusal:
            entry.status, entry.reason, entry.end = refusal.answer.status, refusal.answer.reason, ""
            one.answer(refusal.answer, extra)
        finally:
            self._write(entry, one, began)

    async def _pass(
        self, one: Connection, request: Request, entry: Entry, found: Route, extra: list[tuple[str, str]], began: float
    ) -> None:
        content = content_of(bytes(request.body)) if request.method == "POST" else {}
        model = model_in(content)
        check_bounds(content)
        check_media(content)
        del content  # it takes many times the memory of the request's bytes
        room = self._rooms[choose(model, self._served()).name]
        check_profile(found.path, room.upstream.name, room.upstream.profile)
        if request.method == "POST":
            room.used = time.monotonic()
        elif room.unloaded and not room.closed:
            said = f"{room.upstream.name} is not loaded: the first request that wants an answer of it loads it"
            raise Refusal(503, "not_loaded", said, [("Retry-After", "30")])
        # What comes in a pause waits, whatever it is.
        takes_place = found.way is Way.GENERATE or not room.upstream.slots
        upstream = await room.enter() if takes_place else room.visit()
        entered = time.monotonic()
        try:
            if room.closed:
                raise Refusal(503, "out_of_service", f"{upstream.name} is out of service: {room.closed}")
            if model and model not in upstream.names:  # it was replaced while this one waited
                raise unknown(model, self._served())
            entry.wait = entered - began
            extra[:] = [header for header in extra if not header[0].startswith("X-Assay-")]
            extra += self._naming(entry, upstream)
            sent = request_bytes(upstream, request.method, found.path, bytes(request.body), _kind(request))
            await Relay(one, entry, extra, began).run(upstream, sent, self.limits.silence)
        finally:
            if takes_place:
                room.leave(upstream, time.monotonic() - entered)
            else:
                room.went(upstream)

    async def _here(self, found: Route) -> Answer:
        if found.way is Way.MODELS:
            return as_json(listed(self._rooms.values()))
        if found.way is Way.MODEL:
            return as_json(described(self._rooms[choose(found.model, self._served()).name]))
        if found.way is Way.METRICS:
            return await self._measured()
        if found.way is Way.READY and (self.draining or not self._ready()):
            raise Refusal(503, "not_ready", "draining" if self.draining else "no model is in service")
        return as_json({"status": "ok"})

    async def _measured(self) -> Answer:
        served = [one for one in self._served() if one.slots]
        texts = await asyncio.gather(*(fetch(one, "/metrics", _METRICS_WITHIN) for one in served))
        engines = {one: text for one, text in zip(served, texts, strict=True) if text is not None}
        self._metrics.bodies.set(self.held)
        body = self._metrics.text(self._rooms.values(), engines, self._log.lost, bool(self._keys.refused))
        return Answer(200, body, kind=_TEXT)

    def _served(self) -> list[Upstream]:
        return [room.upstream for room in self._rooms.values()]

    def _ready(self) -> bool:
        return any(not room.closed and (room.upstream.slots or room.unloaded) for room in self._rooms.values())

    def _naming(self, entry: Entry, upstream: Upstream) -> Headers:
        entry.model, entry.digest, entry.lock = upstream.name, upstream.digest, upstream.lock
        return [("X-Assay-Lock", upstream.lock), ("X-Assay-Model-Digest", upstream.digest)]

    def _write(self, entry: Entry, one: Connection, began: float) -> None:
        entry.total, entry.sent = time.monotonic() - began, one.sent
        entry.end = entry.end or "refused"
        self._metrics.count(entry)
        self._log.write(entry)


class _Preflight(Refusal):
    """Not refused: the answer to a browser that asks whether it may ask."""

    def __init__(self, headers: Headers) -> None:
        super().__init__(204, "", "")
        self.answer = Answer(204, b"", headers)


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", "")
    return kind if kind.startswith("application/json") else "application/json"
