"""What a connection does with clients that are slow, gone, hostile or many, over real sockets."""

from __future__ import annotations

import json
import random
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.deploy.door.model import Limits, Upstream
from pipeline.deploy.door.rooms import MOST_VISITS
from tests.deploy.door.conftest import KEY, Front, Open, heard
from tests.deploy.door.scripted import OK, gone, scripted, whole
from tests.projects import until

HELLO = [{"role": "user", "content": "Hello!"}]
ENDLESS = {"messages": HELLO, "max_tokens": 900, "stream": True, "ignore_eos": True, "temperature": 0}
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n".encode()
BODY = b'{"messages": []}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "content",
    [
        HEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + CHUNKS,
        HEAD + LENGTH + LENGTH + b"\r\n" + BODY,
        HEAD + LENGTH + b"Content-Length: 0\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 16, 16\r\n\r\n" + BODY,
        HEAD + b"Content-Length: +16\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 0x10\r\n\r\n" + BODY,
        HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
        HEAD + b"X-Folded: one\r\n two\r\n" + LENGTH + b"\r\n" + BODY,
        HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"10\n" + BODY + b"\n0\n\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"-10\r\n" + BODY + b"\r\n0\r\n\r\n",
        HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 16\n\n" + BODY,
        HEAD + b"X-Nul: a\0b\r\n" + LENGTH + b"\r\n" + BODY,
        HEAD + b"Host: other\r\n" + LENGTH + b"\r\n" + BODY,
        HEAD + f"Authorization: Bearer {KEY}\r\n".encode() + LENGTH + b"\r\n" + BODY,
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        HEAD.replace(b"HTTP/1.1", b"HTTP/2.0") + LENGTH + b"\r\n" + BODY,
        HEAD.replace(b"HTTP/1.1", b"ICE/1.0") + LENGTH + b"\r\n" + BODY,
        HEAD.replace(b"/v1/chat", b"http://localhost/v1/chat") + LENGTH + b"\r\n" + BODY,
        HEAD.replace(b"Host: localhost\r\n", b"") + LENGTH + b"\r\n" + BODY,
        HEAD + b"Content-Encoding: gzip\r\n" + LENGTH + b"\r\n" + BODY,
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sockets: Path, door: Open, content: bytes) -> None:
    """Behind each stands a second request, which must not be read as one."""
    reached: list[bytes] = []
    with scripted(sockets, lambda client, request: reached.append(request)) as engine:
        front = door(engine)
        said = front.raw(
            content + b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: " + KEY.encode() + b"\r\n\r\n"
        )
    assert said.count(b"HTTP/1.1 ") == 1 and said[9:10] in b"45", said
    assert int(said[9:12]) in (400, 404, 405, 413, 415, 421, 501, 505), said
    assert not reached


def test_requests_at_once_are_answered_once_and_the_engine_sees_no_framing_of_ours(sockets: Path, door: Open) -> None:
    seen: list[bytes] = []

    def play(client: socket.socket, request: bytes) -> None:
        seen.append(request)
        client.sendall(whole(b"{}"))

    with scripted(sockets, play) as engine:
        front = door(engine)
        one = HEAD + b"Transfer-Encoding: chunked\r\nX-Evil: yes\r\n\r\n" + CHUNKS
        said = front.raw(one + one)
    assert said.count(b"HTTP/1.1 200") == 1 and b"Connection: close" in said
    (request,) = seen
    assert request.endswith(b"\r\n\r\n" + BODY) and LENGTH in request
    assert b"chunked" not in request and b"Evil" not in request and KEY.encode() not in request
    assert b"Authorization: Bearer engine-key" in request


def test_one_connection_serves_many_requests(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: client.sendall(whole(b'{"n": 1}'))) as engine:
        front = door(engine)
        with socket.create_connection(front.address, 5) as one:
            for _ in range(3):
                one.sendall(HEAD + LENGTH + b"\r\n" + BODY)
                got = b""
                while not got.endswith(b'{"n": 1}'):
                    got += one.recv(65536)
                assert got.startswith(b"HTTP/1.1 200 OK") and b"close" not in got


def test_an_old_client_gets_a_body_without_chunks(sockets: Path, door: Open) -> None:
    def play(client: socket.socket, _: bytes) -> None:
        client.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    with scripted(sockets, play) as engine:
        said = door(engine).raw(HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + LENGTH + b"\r\n" + BODY)
    assert said.endswith(b"\r\n\r\nonetwo") and b"chunked" not in said


def test_a_huge_body_is_refused_before_it_is_read_and_while_it_comes(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine, limits=Limits(body_size=1000))
        for framing in (
            b"Content-Length: 1000000000\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n3E9\r\n" + b"x" * 1001,
        ):
            said = front.raw(HEAD + framing)
            assert said.startswith(b"HTTP/1.1 413 ") and b"body_too_large" in said
        assert front.client.post("/v1/completions", content=b"{" + b" " * 1000).status_code == 413
        assert front.door.held == 0


def test_all_bodies_together_are_bounded(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine, limits=Limits(bodies_size=1000))
        with socket.create_connection(front.address, 5) as one:
            one.sendall(HEAD + b"Content-Length: 2000\r\n\r\n" + b"x" * 900)
            until(lambda: front.door.held == 900, 5)
            assert front.raw(HEAD + b"Content-Length: 200\r\n\r\n" + b"x" * 200).startswith(b"HTTP/1.1 429 ")
        until(lambda: front.door.held == 0, 5)


def test_endless_heads_are_refused(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine)
        for long in (b"X: " + b"y" * 100_000, b"".join(b"X%d: y\r\n" % n for n in range(200)), b"y" * 100_000):
            assert front.raw(HEAD + long).startswith(b"HTTP/1.1 431 ")


def test_slow_clients_are_sent_away_however_they_trickle(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine, limits=Limits(head=0.5, body=0.5, idle=0.5))

        def trickle(begin: bytes) -> tuple[bytes, float]:
            began = time.monotonic()
            with socket.create_connection(front.address, 10) as one:
                one.sendall(begin)
                one.settimeout(0.05)
                got = b""
                while time.monotonic() - began < 10:
                    try:
                        one.sendall(b"X")
                        if not (piece := one.recv(65536)):
                            break
                        got += piece
                    except TimeoutError:
                        continue
                    except OSError:
                        break
            return got, time.monotonic() - began

        for begin in (HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"):
            got, seconds = trickle(begin)
            assert got.startswith(b"HTTP/1.1 408 ") and seconds < 5, got
        with socket.create_connection(front.address, 5) as silent:
            assert heard(silent) == b""


def test_a_thousand_idle_connections_are_in_nobodys_way(front: Front) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 2500

    def connections() -> float:
        lines = front.client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith("assay_connections ")).split()[1])

    idle = [socket.create_connection(front.address) for _ in range(1000)]
    try:
        until(lambda: connections() >= 1000, 10)
        answer = front.client.post("/v1/chat/completions", json={"messages": HELLO, "max_tokens": 4})
        assert answer.status_code == 200
    finally:
        for one in idle:
            one.close()


def test_too_many_connections_are_closed(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: client.sendall(whole(b"{}"))) as engine:
        front = door(engine, limits=Limits(connections=3))
        kept = [socket.create_connection(front.address, 5) for _ in range(3)]
        time.sleep(0.1)
        with socket.create_connection(front.address, 5) as one:
            assert heard(one) == b""
        kept.pop().close()
        until(lambda: front.client.get("/livez").status_code == 200, 5)
        for one in kept:
            one.close()


def processing(engine: Upstream) -> int:
    """Ask the engine itself how many requests it works on."""
    transport = httpx.HTTPTransport(uds=str(engine.socket))
    with httpx.Client(transport=transport, headers={"Authorization": f"Bearer {engine.key}"}) as client:
        text = client.get("http://localhost/metrics").text
    return int(next(line for line in text.splitlines() if line.startswith("llamacpp:requests_processing ")).split()[1])


def test_a_client_that_vanishes_frees_its_slot(front: Front, engine: Upstream) -> None:
    with front.client.stream("POST", "/v1/chat/completions", json=ENDLESS) as answer:
        assert next(answer.iter_bytes())
        identity = answer.headers["x-request-id"]
    until(lambda: front.door.room("small").busy == 0, 1)
    until(lambda: processing(engine) == 0, 1)
    told = front.entry(identity)
    assert told["end"] == "client went" and told["status"] == 200


def test_a_client_that_vanishes_while_it_waits_leaves_the_queue(sockets: Path, door: Open) -> None:
    over = threading.Event()
    seen: list[bytes] = []

    def play(client: socket.socket, request: bytes) -> None:
        seen.append(request)
        over.wait(10)
        client.sendall(whole(b"{}"))

    with scripted(sockets, play, slots=1) as engine:
        front = door(engine)
        one, two = (socket.create_connection(front.address, 5) for _ in range(2))
        with one:
            one.sendall(HEAD + LENGTH + b"\r\n" + BODY)
            until(lambda: len(seen) == 1, 5)
            two.sendall(HEAD + LENGTH + b"\r\n" + BODY)
            room = front.door.room("one")
            until(lambda: room.waiting == 1, 5)
            two.close()
            until(lambda: room.waiting == 0, 1)
            over.set()
            until(lambda: room.busy == 0, 5)
    assert len(seen) == 1


@pytest.mark.parametrize("events", [True, False])
def test_an_engine_that_dies_in_the_middle_is_not_taken_for_a_whole_answer(
    sockets: Path, door: Open, events: bool
) -> None:
    kind = b"text/event-stream" if events else b"application/json"

    def play(client: socket.socket, _: bytes) -> None:
        content = b'data: {"a": 1}\n\n'
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"%x\r\n%b\r\n" % (len(content), content))

    with scripted(sockets, play) as engine:
        front = door(engine)
        said = front.raw(HEAD + LENGTH + b"\r\n" + BODY)
        assert b'data: {"a": 1}' in said and not said.endswith(b"0\r\n\r\n")
        assert (b"engine_failed" in said) is events
        with pytest.raises(httpx.RemoteProtocolError):
            front.client.post("/v1/chat/completions", content=BODY)
        until(lambda: len(front.lines()) == 2, 5)
        assert {json.loads(line)["end"] for line in front.lines()} == {"engine failed"}
        assert front.door.room("one").busy == 0


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH\r\n"])
def test_an_engine_that_does_not_answer_is_a_502(sockets: Path, door: Open, said: bytes) -> None:
    with scripted(sockets, lambda client, _: client.sendall(said)) as engine:
        front = door(engine)
        answer = front.client.post("/v1/chat/completions", content=BODY)
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "engine_failed"
    assert answer.headers["x-assay-lock"] == engine.lock
    assert front.client.post("/v1/chat/completions", content=BODY).status_code == 502  # its socket is gone


def test_an_engine_that_says_nothing_is_left(sockets: Path, door: Open) -> None:
    left: list[bool] = []
    with scripted(sockets, lambda client, _: left.append(gone(client))) as engine:
        answer = door(engine, limits=Limits(silence=0.3)).client.post("/v1/chat/completions", content=BODY)
        assert answer.status_code == 502 and "said nothing for 0.3 s" in answer.text
        until(lambda: left == [True], 5)


def test_a_client_that_does_not_read_holds_little_memory_and_is_cut(sockets: Path, door: Open) -> None:
    sent: list[int] = []

    def play(client: socket.socket, request: bytes) -> None:
        client.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        client.setblocking(True)
        try:
            for _ in range(2000):
                client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent.append(65536)
        except OSError:
            sent.append(-1)

    with scripted(sockets, play) as engine:
        front = door(engine, limits=Limits(stall=0.5))
        with socket.create_connection(front.address, 10) as one:
            one.sendall(HEAD + LENGTH + b"\r\n" + BODY)
            until(lambda: sent and sent[-1] == -1, 10)
        assert sum(sent) < 60 << 20
        until(lambda: front.door.room("one").busy == 0, 5)


def test_a_drain_lets_streams_end_and_takes_nobody_new(engine: Upstream, door: Open) -> None:
    own = door(engine)
    got: list[bytes] = []
    with own.client.stream("POST", "/v1/chat/completions", json=ENDLESS) as answer:
        pieces = answer.iter_bytes()
        got.append(next(pieces))
        draining = threading.Thread(target=lambda: got.append(b"drained" if own.beside.drain(30) else b"cut"))
        draining.start()
        until(lambda: own.door.draining, 5)
        with pytest.raises(OSError):
            socket.create_connection(own.address, 5)
        got += pieces
    draining.join()
    assert b"data: [DONE]" in b"".join(got[:-1]) and got[-1] == b"drained"


def test_a_drain_that_takes_too_long_breaks_off(sockets: Path, door: Open) -> None:
    left: list[bool] = []
    with scripted(sockets, lambda client, _: left.append(gone(client))) as engine:
        front = door(engine)
        with socket.create_connection(front.address, 5) as one:
            one.sendall(HEAD + LENGTH + b"\r\n" + BODY)
            until(lambda: front.door.room("one").busy == 1, 5)
            assert front.beside.drain(0.2) is False
            assert heard(one) == b""
        until(lambda: left == [True], 5)


def test_a_thousand_requests_at_64_with_a_queue_of_16(engine: Upstream, door: Open) -> None:
    front = door(engine, limits=Limits(queue=16))
    body = {"messages": HELLO, "max_tokens": 1}

    def ask(count: int) -> list[int]:
        with httpx.Client(base_url=front.client.base_url, headers=front.client.headers, timeout=60) as client:
            answers = [client.post("/v1/chat/completions", json=body) for _ in range(count)]
        assert all(one.status_code == 200 or int(one.headers["retry-after"]) >= 1 for one in answers)
        return [one.status_code for one in answers]

    with ThreadPoolExecutor(64) as pool:
        said = [status for some in pool.map(ask, [16] * 64) for status in some]
    assert len(said) == 1024 and set(said) == {200, 429}
    until(lambda: len(front.lines()) == len(said), 5)
    told = [json.loads(line) for line in front.lines()]
    assert sorted(one["status"] for one in told) == sorted(said)
    assert {one["reason"] for one in told if one["status"] == 429} == {"queue_full"}
    assert (front.door.room("small").busy, front.door.held) == (0, 0)


def test_questions_that_take_no_slot_are_bounded_too(sockets: Path, door: Open) -> None:
    over = threading.Event()

    def play(client: socket.socket, request: bytes) -> None:
        over.wait(10)
        client.sendall(whole(b"{}"))

    with scripted(sockets, play) as engine, ThreadPoolExecutor(MOST_VISITS) as pool:
        front = door(engine)
        with httpx.Client(base_url=front.client.base_url, headers=front.client.headers, timeout=20) as client:
            asked = [pool.submit(client.post, "/tokenize", json={"content": "a"}) for _ in range(MOST_VISITS)]
            until(lambda: front.door.room("one")._visits.total() == MOST_VISITS, 5)
            refused = front.client.post("/tokenize", json={"content": "a"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_questions")
            assert int(refused.headers["retry-after"]) >= 1
            over.set()
            assert {one.result().status_code for one in asked} == {200}
        assert front.client.post("/tokenize", json={"content": "a"}).status_code == 200


def test_nonsense_is_never_a_fault_of_ours(front: Front) -> None:
    """Mutated requests: wrong types, cut and noisy JSON. None is answered with a 5xx, and the engine lives on."""
    pick = random.Random(7)
    values: list[Any] = [
        None,
        True,
        -1,
        1e308,
        "",
        "x" * 300,
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        "\ud800",
        2**70,
        float("nan"),
    ]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": HELLO, "max_tokens": 1, "tools": [], "stop": ["x"], "stream": False},
        "/v1/completions": {"prompt": "a", "max_tokens": 1, "logprobs": 1, "seed": 1},
        "/v1/responses": {"input": "a", "max_output_tokens": 1},
        "/v1/messages": {"messages": HELLO, "max_tokens": 1, "system": "a"},
        "/v1/messages/count_tokens": {"messages": HELLO},
        "/tokenize": {"content": "a"},
        "/detokenize": {"tokens": [1]},
        "/apply-template": {"messages": HELLO},
    }
    bad = []
    for number in range(160):
        path, body = pick.choice(list(bodies.items()))
        changed = dict(body)
        for key in pick.sample(sorted(body), 1):
            changed[key] = pick.choice(values)
        changed.setdefault("max_tokens", 1)
        raw = bytearray(json.dumps(changed).encode())
        if number % 4 == 0:
            raw[pick.randrange(len(raw))] = pick.randrange(256)
        if number % 8 == 1:
            del raw[pick.randrange(len(raw)) :]
        answer = front.client.post(path, content=bytes(raw) or b" ")
        if answer.status_code >= 500:
            bad.append((path, bytes(raw), answer.text[:300]))
    assert not bad
    for content in (
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"\xff\xfe{\0}\0",
        b'{"model": 5}',
        b"[]",
        b"null",
        b'"x"',
        b"9" * 5000,
    ):
        assert front.client.post("/v1/chat/completions", content=content).status_code == 400
    assert front.client.post("/v1/completions", json={"prompt": "a", "max_tokens": 1}).status_code == 200


def test_a_client_that_asks_on_at_once_is_heard(front: Front) -> None:
    """Its next request may be read before the loop has told that the last one is answered."""
    for number in range(60):
        body = b'{"prompt": [' + b"{}," * (200_000 if number % 2 else 1) + b"{}]}"
        assert front.client.post("/v1/completions", content=body).status_code == 400


@pytest.mark.parametrize("early", [1 << 10, 100 << 10])
def test_a_last_answer_is_whole_whatever_comes_after_its_question(sockets: Path, door: Open, early: int) -> None:
    asked, read = threading.Event(), threading.Event()

    def play(client: socket.socket, _: bytes) -> None:
        asked.set()
        read.wait(5)
        client.sendall(whole(b'"whole"'))

    with scripted(sockets, play) as engine, socket.create_connection(door(engine).address, 5) as client:
        client.sendall(HEAD + b"Connection: close\r\n" + LENGTH + b"\r\n" + BODY)
        asked.wait(5)
        client.sendall(b"x" * early)
        read.set()
        assert (said := heard(client)).startswith(b"HTTP/1.1 200 OK") and said.endswith(b'"whole"')


@pytest.mark.parametrize("way", [b"", b"Connection: close\r\n"])
def test_who_sends_on_and_on_during_an_answer_is_broken_off(sockets: Path, door: Open, way: bytes) -> None:
    asked, left = threading.Event(), threading.Event()

    def play(client: socket.socket, _: bytes) -> None:
        asked.set()
        if gone(client):
            left.set()

    with scripted(sockets, play) as engine, socket.create_connection(door(engine).address, 5) as client:
        client.sendall(HEAD + way + LENGTH + b"\r\n" + BODY)
        asked.wait(5)
        client.sendall(b"x" * (100 << 10))
        assert left.wait(5) and gone(client)
