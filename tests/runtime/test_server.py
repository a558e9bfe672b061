from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import EngineError
from pipeline.core.project import Project
from pipeline.lock.argv import compile_argv
from pipeline.lock.load import read_lock
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.server import Running, prove, running
from pipeline.spec.model import Chat
from tests import zoo
from tests.damaged import with_nan
from tests.projects import alive, command_of, descendants, until

HELLO = {"model": "small", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def lock(cold_project: Project) -> Lockfile:
    return read_lock(cold_project, "small")


@pytest.fixture(scope="module")
def server(engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path) -> Iterator[Running]:
    with running(engine_build, lock, weights=tiny_chat, template=None, threads=1) as started:
        yield started


def changed(lock: Lockfile, **parts: Any) -> Lockfile:
    """The lock, as if something else were pinned. ``part__field`` reaches into the spec."""
    content = lock.content()
    for key, value in parts.items():
        place, _, name = key.rpartition("__")
        target = content["spec"][place] if place else content
        target[name] = value
    return Lockfile.model_validate(content)


def test_it_answers_and_says_what_it_is(server: Running, lock: Lockfile, tiny_chat: Path) -> None:
    assert server.alive()
    assert server.load_seconds > 0
    assert (server.peak_rss() or 0) > tiny_chat.stat().st_size  # the weights are copied, not mapped
    assert server.props["total_slots"] == 2
    answer = server.client.post("/v1/chat/completions", json=HELLO).raise_for_status().json()
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert {"--model", str(tiny_chat), "--offline"} <= set(server.argv)


def test_nobody_is_served_without_the_key_which_shows_nowhere(server: Running) -> None:
    key = server.client.headers["Authorization"].removeprefix("Bearer ")
    assert len(key) > 30
    for wrong in ({}, {"Authorization": "Bearer assay-wrong"}):
        request = server.client.build_request("POST", "/v1/chat/completions", json=HELLO, headers=wrong)
        if not wrong:
            del request.headers["Authorization"]
        assert server.client.send(request).status_code == 401
    shown = Path(f"/proc/{server.pid}/cmdline").read_text() + Path(f"/proc/{server.pid}/environ").read_text()
    assert key not in shown + " ".join(server.argv) + server.process.log.read_text()
    key_file = Path(server.argv[server.argv.index("--api-key-file") + 1])
    assert key_file.read_text().strip() == key
    assert key_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"engine__context": 128}, "context of a slot: the lock says 128, the server 1024"),
        ({"engine__slots": 3}, "slots: the lock says 3, the server 2"),
        ({"sampling__seed": 7}, "seed: the lock says 7, the server 0"),
        ({"sampling__top_k": 41}, "top_k"),
        ({"sampling__temperature": 0.1}, "temperature"),
        ({"sampling__min_p": 0.06}, "min_p"),
        ({"sampling__repeat_penalty": 1.1}, "repeat_penalty"),
        ({"name": "other"}, "model name: the lock says 'other', the server 'small'"),
        ({"gguf": {"template_digest": str(Digest.of(b"another"))}}, "chat template"),
        (
            {"engine": {"llama_cpp_python": "0", "llama_cpp_commit": "abcdef0", "build_flags": []}},
            "llama.cpp commit",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_server_that_is_not_what_the_lock_says_is_found_out(
    server: Running, lock: Lockfile, tiny_chat: Path, parts: dict[str, Any], said: str
) -> None:
    with pytest.raises(EngineError, match="the server is not what the lock says") as error:
        prove(server.client, changed(lock, **parts), tiny_chat)
    assert said in error.value.message
    assert len(error.value.message.splitlines()) == 2  # that difference alone


def test_other_weights_are_found_out(server: Running, lock: Lockfile) -> None:
    with pytest.raises(EngineError, match="model file"):
        prove(server.client, lock, Path("/elsewhere/model.gguf"))


def test_neither_variables_nor_a_configuration_change_it(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama.cpp").mkdir()
    (tmp_path / "llama.cpp" / "config.ini").write_text("version = 1\n[*]\nparallel = 3\ntemp = 0.9\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "3")
    monkeypatch.setenv("LLAMA_ARG_TEMP", "0.9")
    with running(engine_build, lock, weights=tiny_chat, template=None, threads=1) as started:
        assert started.props["total_slots"] == 2


def test_a_template_of_the_spec_is_used_and_proven(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path
) -> None:
    template = tmp_path / "plain.jinja"
    template.write_text("{% for message in messages %}{{ message.content }}{% endfor %}\n")
    digest = Digest.of_file(template)
    file = {
        "role": "chat_template",
        "path": "plain.jinja",
        "size": 1,
        "sha256": str(digest),
        "urls": ["file:plain.jinja"],
        "known": "spec",
    }
    other = changed(lock, files=[*lock.content()["files"], file])
    with running(engine_build, other, weights=tiny_chat, template=template, threads=1) as started:
        assert started.props["chat_template"].startswith("{% for message")
    with (
        pytest.raises(EngineError, match="chat template"),
        running(engine_build, other, weights=tiny_chat, template=None, threads=1),
    ):
        pass


def test_a_template_that_the_server_patches_is_proven(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path
) -> None:
    template = tmp_path / "patched.jinja"
    template.write_text(zoo.PATCHED + "{% for message in messages %}{{ message.content }}{% endfor %}\n")
    other = changed(lock, gguf={**lock.gguf, "template_digest": str(Digest.of_file(template))})
    with running(engine_build, other, weights=tiny_chat, template=template, threads=1) as started:
        assert "{%- if false %}" in started.props["chat_template"]


def test_a_server_that_dies_at_its_start_is_an_error_with_its_last_words(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_chat.read_bytes()[:500_000])
    with (
        pytest.raises(EngineError, match="was not ready: exit code 1") as error,
        running(engine_build, lock, weights=broken, template=None, threads=1),
    ):
        pass
    assert "broken.gguf" in error.value.message


def servers() -> set[int]:
    """The servers that this process started and that still run."""
    return {pid for pid in descendants(os.getpid()) if "llama-server" in command_of(pid)}


def test_a_server_that_is_not_ready_in_time_is_stopped(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path
) -> None:
    before = servers()
    with (
        pytest.raises(EngineError, match="was not ready after 0 s"),
        running(engine_build, lock, weights=tiny_chat, template=None, threads=1, ready_within=0.0),
    ):
        pass
    assert servers() == before


def test_it_stops_with_a_stream_in_flight(engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path) -> None:
    endless = {**HELLO, "max_tokens": 1000, "stream": True, "ignore_eos": True}
    with running(engine_build, lock, weights=tiny_chat, template=None, threads=1) as started:
        with started.client.stream("POST", "/v1/chat/completions", json=endless) as answer:
            lines = answer.iter_lines()
            assert next(lines)
            began = time.monotonic()
            started.process.stop(0.5)
            with pytest.raises(httpx.TransportError):  # it had not come to its end
                list(lines)
        assert time.monotonic() - began < 5
    assert not alive(started.pid)
    assert not started.process.log.parent.exists()


def test_a_long_temporary_folder_leaves_room_for_the_socket(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with running(engine_build, lock, weights=tiny_chat, template=None, threads=1) as started:
        assert started.alive()


SERVE_AND_WAIT = """
import sys, time
from pathlib import Path
from pipeline.core.project import Project
from pipeline.lock.argv import compile_argv
from pipeline.lock.load import read_lock
from pipeline.runtime.build import find_engine
from pipeline.runtime.server import running
lock = read_lock(Project(Path(sys.argv[1])), "small")
with running(find_engine(), lock, weights=Path(sys.argv[2]), template=None, threads=1) as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


@contextmanager
def child(*argv: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", *argv], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of what is killed")
def test_a_killed_parent_leaves_no_orphan(cold_project: Project, tiny_chat: Path) -> None:
    with child(SERVE_AND_WAIT, str(cold_project.root), str(tiny_chat)) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.send_signal(signal.SIGKILL)
        until(lambda: not alive(pid), 5)


def test_stop_strings_of_the_spec_hold_for_whoever_asks(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, server: Running
) -> None:
    def said(client: httpx.Client) -> str:
        answer = client.post("/v1/chat/completions", json={**HELLO, "max_tokens": 16}).raise_for_status().json()
        return str(answer["choices"][0]["message"]["content"])

    whole = said(server.client)
    letter = next(text for text in whole[1:] if text.isalpha())
    for stop, wanted in ((letter, whole[: whole.index(letter)]), (f"\\x{ord(letter):02x}", whole)):
        spec = lock.spec.model_copy(update={"chat": Chat(stop=(stop,))})
        stopping = lock.model_copy(update={"argv": compile_argv(spec, lock.weights.digest)})
        with running(engine_build, stopping, weights=tiny_chat, template=None, threads=1) as started:
            assert said(started.client) == wanted


def test_weights_that_give_no_numbers_are_no_model(
    engine_build: EngineBuild, lock: Lockfile, tiny_chat: Path, tmp_path: Path
) -> None:
    damaged = with_nan(tiny_chat, tmp_path / "nan.gguf")
    with (
        pytest.raises(EngineError, match="are not numbers") as caught,
        running(engine_build, lock, weights=damaged, template=None, threads=1),
    ):
        raise AssertionError("its answers would be judged")
    assert "weights are damaged" in caught.value.hint
