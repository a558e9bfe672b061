from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from pipeline.runtime.params import Listen, server_argv
from tests import factories

HARDENED = (
    *("--offline", "--no-ui", "--no-slots", "--metrics", "--cors-origins", "localhost", "--no-cors-credentials"),
    *("--log-jsonl", "--log-timestamps"),
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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "unix"])
def test_it_is_known_whether_somebody_takes_connections(host: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        family = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6, "unix": socket.AF_UNIX}[host]
        with socket.socket(family, socket.SOCK_STREAM) as server:
            try:
                server.bind(f"{folder}/x.sock" if host == "unix" else (host, 0))
            except OSError:
                pytest.skip(f"no {host} on this machine")
            listen = Listen(f"{folder}/x.sock") if host == "unix" else Listen(host, server.getsockname()[1])
            assert not listen.accepts()
            server.listen()
            assert listen.accepts()
        assert not listen.accepts()
