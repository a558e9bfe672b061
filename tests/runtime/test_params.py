from __future__ import annotations

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.build import EngineBuild
from pipeline.runtime.params import Listen, server_argv
from tests import factories
from tests.filled import filled

HARDENED = (
    *("--offline", "--no-ui", "--no-slots", "--metrics", "--cors-origins", "localhost", "--no-cors-credentials"),
    *("--log-jsonl", "--log-timestamps", "--ctx-checkpoints", "4"),
)


def test_the_whole_command_line() -> None:
    lock = factories.lock()
    argv = server_argv(
        lock,
        weights=Path("/store/ab/abcd"),
        template=Path("/store/cd/cdef"),
        listen=Listen("127.0.0.1", 8080),
        key_file=Path("/keys/key"),
        threads=6,
    )
    assert argv == (
        *("--model", "/store/ab/abcd"),
        *("--ctx-size", "2048", "--parallel", "4", "--threads", "2", "--no-context-shift", "--jinja"),  # the lock's
        *("--chat-template-file", "/store/cd/cdef"),
        *("--threads", "6", "--threads-batch", "6"),
        *("--host", "127.0.0.1", "--port", "8080"),
        *("--api-key-file", "/keys/key"),
        *HARDENED,
    )


def test_the_spec_s_threads_beat_the_machine_s_and_no_template_is_no_argument() -> None:
    lock = factories.lock(engine={"context": 512, "threads": 3})
    argv = server_argv(
        lock, weights=Path("w"), template=None, listen=Listen("/tmp/x.sock"), key_file=Path("k"), threads=6
    )
    assert argv[-len(HARDENED) - 8 : -len(HARDENED)] == (
        *("--threads", "3", "--threads-batch", "3"),
        *("--host", "/tmp/x.sock"),
        *("--api-key-file", "k"),
    )
    assert "--chat-template-file" not in argv


def test_a_projector_is_loaded_beside_the_weights() -> None:
    places = {
        "weights": Path("/w"),
        "template": None,
        "listen": Listen("/x.sock"),
        "key_file": Path("/k"),
        "threads": 1,
    }
    argv = server_argv(factories.lock(), **places, mmproj=Path("/p"))  # type: ignore[arg-type]
    assert argv[argv.index("--mmproj") + 1] == "/p"
    assert "--mmproj" not in server_argv(factories.lock(), **places)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "unix"])
def test_it_is_known_whether_a_server_is_healthy(host: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        family = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6, "unix": socket.AF_UNIX}[host]
        with socket.socket(family, socket.SOCK_STREAM) as server:
            try:
                server.bind(f"{folder}/x.sock" if host == "unix" else (host, 0))
            except OSError:
                pytest.skip(f"no {host} on this machine")
            listen = Listen(f"{folder}/x.sock") if host == "unix" else Listen(host, server.getsockname()[1])
            assert not listen.healthy()  # nobody listens
            server.listen()
            assert not listen.healthy(within=0.05)  # nobody answers
            server.accept()[0].close()
            for answer, healthy in {
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": True,
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n": False,
                b"ICY 200 OK\r\n\r\n": False,
                b"": False,
            }.items():
                with ThreadPoolExecutor(1) as pool:
                    done = pool.submit(_answer_health, server, answer)
                    assert listen.healthy() is healthy
                    assert done.result() == b"GET /health HTTP/1.1\r\n"
        assert not listen.healthy()


def _answer_health(server: socket.socket, answer: bytes) -> bytes:
    """Answer one request; return its first line."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as request:
        first = request.readline()
        while request.readline().strip():
            pass
        connection.sendall(answer)
        return first


@pytest.mark.parametrize(
    "engine",
    [
        {"context": 1024, "slots": 4},
        {"context": 1024, "slots": 1, "micro_batch": 64, "batch": 64, "load": "mmap"},
        {"context": 512, "slots": 2, "flash_attention": "on", "cache_type_k": "q8_0", "cache_type_v": "q8_0"},
    ],
    ids=["slots", "mapped", "flash"],
)
def test_the_plan_of_memory_is_what_the_engine_comes_to(
    engine_build: EngineBuild, tiny_chat: Path, engine: dict[str, Any]
) -> None:
    """Half of such a small process are libraries and the allocator's own, which differ between systems."""
    memory, peak = filled(engine_build, tiny_chat, factories.lock(engine=engine))
    assert memory.total == pytest.approx(peak, rel=0.1), (memory, peak)
