"""What Prometheus gets: the door's own figures, and those of each engine, labelled by model and digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pipeline.deploy.door.log import Entry
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.door.rooms import Room

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OF = ("model", "digest")


class Metrics:
    """The door's figures. No label has a value that a client chose."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def made(kind: Any, name: str, about: str, labels: Iterable[str] = (), **more: Any) -> Any:
            return kind(f"assay_{name}", about, tuple(labels), registry=self._registry, **more)

        self._requests = made(Counter, "requests", "Requests that ended", (*_OF, "caller", "status", "end"))
        self._refused = made(Counter, "refused", "Requests that were refused", ("reason",))
        self._tokens = made(Counter, "tokens", "Tokens, as answers tell them", (*_OF, "caller", "kind"))
        self._first = made(Histogram, "first_byte_seconds", "Until the first byte of a body", _OF, buckets=_SECONDS)
        self._total = made(Histogram, "request_seconds", "Until the end of an answer", _OF, buckets=_SECONDS)
        self._wait = made(Histogram, "wait_seconds", "In the queue", _OF, buckets=_SECONDS)
        self._at = made(Gauge, "in_flight", "Requests at the engine", _OF)
        self._waiting = made(Gauge, "waiting", "Requests in the queue", _OF)
        self._up = made(Gauge, "engine_up", "1 when the engine tells its figures", _OF)
        self._closed = made(Gauge, "out_of_service", "1 when requests for the model are refused", _OF)
        self.connections = made(Gauge, "connections", "Open connections of clients")
        self.bodies = made(Gauge, "bodies_bytes", "Bytes of requests in memory")
        self._lost = made(Gauge, "log_lines_lost", "Lines of the access log that could not be written")
        self._keys = made(Gauge, "keys_file_refused", "1 when the file of keys was changed to one that can't be used")

    def count(self, entry: Entry) -> None:
        """Count a request that has ended."""
        of = (entry.model, entry.digest)
        self._requests.labels(*of, entry.caller, str(entry.status), entry.end).inc()
        if entry.reason:
            self._refused.labels(entry.reason).inc()
        if entry.wait is None:
            return
        self._wait.labels(*of).observe(entry.wait)
        self._total.labels(*of).observe(entry.total)
        if entry.first is not None:
            self._first.labels(*of).observe(entry.first)
        for kind, tokens in (("prompt", entry.prompt_tokens), ("completion", entry.completion_tokens)):
            if tokens:
                self._tokens.labels(*of, entry.caller, kind).inc(tokens)

    def text(self, rooms: Iterable[Room], engines: Mapping[Upstream, str], lost: int, keys_refused: bool) -> bytes:
        """Return everything in Prometheus's text format; ``engines`` are the texts of those that answered."""
        for gauge in (self._at, self._waiting, self._up, self._closed):
            gauge.clear()
        for room in rooms:
            of = (room.upstream.name, room.upstream.digest)
            self._at.labels(*of).set(room.at())
            self._waiting.labels(*of).set(room.waiting)
            self._up.labels(*of).set(room.upstream in engines)
            self._closed.labels(*of).set(bool(room.closed))
        self._lost.set(lost)
        self._keys.set(keys_refused)
        theirs = CollectorRegistry()
        theirs.register(_Engines(engines))
        return generate_latest(self._registry) + generate_latest(theirs)


class _Engines(Collector):
    """The figures of engines, each family once, each sample with its model."""

    def __init__(self, engines: Mapping[Upstream, str]) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        """Yield the families."""
        families: dict[str, Metric] = {}
        for one, text in self._engines.items():
            for family in text_string_to_metric_families(text):
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    of = {"model": one.name, "digest": one.digest}
                    whole.add_sample(sample.name, {**sample.labels, **of}, sample.value)
        return families.values()
