"""A short run of what ``nox -s fuzz -- door`` does for longer; and that it would see a fault."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipeline.deploy.door.model import Upstream
from tests.deploy.door.conftest import KEY, Front, Open, engine, sockets  # noqa: F401
from tests.deploy.door.conftest import door as door
from tests.deploy.door.scripted import scripted, whole
from tests.fuzz.answers import exchange, fault_of
from tests.fuzz.door import LIMITS, fuzz
from tests.fuzz.requests import Maker
from tests.projects import until


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_comes_is_answered_and_is_nobodys_fault_but_the_senders(
    engine: Upstream,  # noqa: F811
    door: Open,
    seed: int,
) -> None:
    front = door(engine, limits=LIMITS)
    statuses, faults = fuzz(front, Maker(seed, KEY), 60.0, most=250)
    assert not faults, "\n".join(f"{fault}\n{raw!r}" for fault, raw in faults)
    assert {200, 400, 401, 405, 408} <= set(statuses), statuses
    until(lambda: (front.door.held, front.door.room("small").busy) == (0, 0), 5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (whole(b"{}", b"HTTP/1.1 500 Internal Server Error\r\n"), "a 500"),
        (whole(b'data: {"error":{"code":500,"type":"server_error"}}\n\n'), "within a stream"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "no end"),
        (b"", "a 502"),
    ],
)
def test_it_would_see_a_fault(sockets: Path, door: Open, answer: bytes, said: str) -> None:  # noqa: F811
    def play(client: socket.socket, request: bytes) -> None:
        client.sendall(answer)

    with scripted(sockets, play) as broken:
        raw = (
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: %b\r\nContent-Length: 2\r\n\r\n{}"
            % KEY.encode()
        )
        assert said in fault_of(exchange(door(broken).address, raw))
