"""What goes wrong while a model is served: processes killed, disks full, files changed, hostile surroundings. Real processes, real
sockets, the real engine.

Faults of single parts are with their parts: clients in ``deploy/door/test_connection.py``, crashes and crash loops in ``flow``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.core.digest import Digest
from pipeline.core.project import Project
from pipeline.deploy.log import log_path, read
from pipeline.deploy.state import State, folder_of, read_state
from pipeline.lock.load import read_lock
from pipeline.store.layout import Store
from tests.projects import alive, assay, descendants, finish, free_port, start, stop, until

HELLO = [{"role": "user", "content": "Hello!"}]
ENDLESS = {"messages": HELLO, "max_tokens": 900, "stream": True, "ignore_eos": True}


class Served:
    """``assay serve`` as a process, with what it said when it was ready."""

    def __init__(self, project: Project, options: tuple[str, ...], port: int, environment: dict[str, str]) -> None:
        self.project = project
        arguments = ("serve", "small", "--port", str(port), "--json", *options)
        self.process = start(*arguments, project=project, **environment)
        assert self.process.stdout
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(finish(self.process))
            text += line
        self.content: dict[str, Any] = json.loads(text)
        self.engine: int = self.content["pid"]
        self.url: str = self.content["url"].removesuffix("/v1")
        self.headers = {"Authorization": f"Bearer {Path(self.content['key_file']).read_text().strip()}"}

    def ask(self) -> httpx.Response:
        """Ask something short."""
        return ask(self.url, self.headers)

    def end(self) -> tuple[int, str, str]:
        """Ask it to end; returns how it did."""
        self.process.send_signal(signal.SIGTERM)
        return finish(self.process, 20)


def ask(url: str, headers: dict[str, str]) -> httpx.Response:
    body = {"messages": HELLO, "max_tokens": 4}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)


@contextmanager
def serving(
    project: Project, *options: str, port: int = 0, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    served = Served(project, options, port, environment or {})
    try:
        yield served
    finally:
        children = descendants(served.process.pid)
        stop(served.process)
        until(lambda: not any(map(alive, children)), 10)


def raw_stream(url: str, headers: dict[str, str]) -> socket.socket:
    """Begin an endless stream over a bare socket, and return the socket when its first event was there."""
    content = json.dumps(ENDLESS).encode()
    host, port = url.removeprefix("http://").split(":")
    one = socket.create_connection((host, int(port)), 20)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
    one.sendall(head.encode() + f"Authorization: {headers['Authorization']}\r\n\r\n".encode() + content)
    got = b""
    while b"data: " not in got:
        piece = one.recv(65536)
        assert piece, got
        got += piece
    return one


def rest(one: socket.socket) -> bytes:
    """Return what comes until the end of the connection."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := one.recv(65536):
            got += piece
    return got


def broken(got: bytes) -> bool:
    """Tell whether no client can take a stream for whole: neither its last event nor its last chunk came."""
    return b"[DONE]" not in got and not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("who", ["engine", "door", "both"])
def test_a_kill_in_the_middle_of_a_stream_is_seen_by_the_client_and_the_next_start_is_clean(
    tested: Project, who: str
) -> None:
    port = free_port()
    with serving(tested, port=port) as served, raw_stream(served.url, served.headers) as one:
        words = Path(f"/proc/{served.engine}/cmdline").read_text().split("\0")
        private = Path(words[words.index("--host") + 1]).parent
        assert private.is_dir()
        if who != "door":
            os.kill(served.engine, signal.SIGKILL)
        if who != "engine":
            served.process.kill()
        assert broken(rest(one))
        code, _, err = finish(served.process, 20)
        assert code == (6 if who == "engine" else -signal.SIGKILL), err
        assert who != "engine" or ("killed by SIGKILL" in err and "Traceback" not in err)
        until(lambda: not alive(served.engine), 10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
    with serving(tested, port=port) as again:  # the same port, the same key, no lock in the way
        assert again.headers == served.headers and again.ask().status_code == 200
        assert not private.exists()
        assert again.end()[0] == 0


def test_a_stop_lets_a_stream_end_and_takes_nobody_new(tested: Project) -> None:
    with serving(tested, "--drain", "30") as served, raw_stream(served.url, served.headers) as one:
        served.process.send_signal(signal.SIGTERM)
        until(lambda: refused(served.url), 10)
        assert alive(served.engine)
        got = rest(one)
        assert b"data: [DONE]" in got and got.endswith(b"0\r\n\r\n")
        assert finish(served.process, 20)[0] == 0
        assert not alive(served.engine)


def refused(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def overwrite(blob: Path) -> None:
    """Other bytes in the same file, as ``cp`` writes them."""
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.write(os.urandom(1 << 20))


def cut(blob: Path) -> None:
    """Half a file."""
    blob.chmod(0o644)
    os.truncate(blob, blob.stat().st_size // 2)


def swap(blob: Path) -> None:
    """Another file under the name."""
    other = blob.with_name("other")
    other.write_bytes(blob.read_bytes()[:-1] + b"?")
    other.replace(blob)


def remove(blob: Path) -> None:
    blob.unlink()


@pytest.mark.parametrize("spoil", [overwrite, cut, swap, remove])
def test_a_file_that_changes_while_it_is_served_ends_it(tested: Project, spoil: Callable[[Path], None]) -> None:
    lock = read_lock(tested, "small")
    blob = Store(tested.store).path(lock.weights.digest)
    with serving(tested) as served:
        with raw_stream(served.url, served.headers):
            spoil(blob)
            code, _, err = finish(served.process, 20)
        assert code == 5 and "Traceback" not in err, err
        assert not alive(served.engine) and refused(served.url)
    assert not blob.exists() or Digest.of_file(blob) == lock.weights.digest, "wrong bytes under a right name"


def test_nothing_in_the_surroundings_changes_what_is_served(tested: Project, tmp_path: Path) -> None:
    """Configuration files where llama-server looks for them, and variables that it takes for arguments."""
    config = "version = 1\n[*]\nparallel = 3\nctx-size = 64\ntemp = 1.9\nhf-repo = evil/evil\n"
    home = tmp_path / "home"
    for folder in (home / ".config" / "llama.cpp", home / "llama.cpp", tested.root, tested.root / "llama.cpp"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.ini").write_text(config)
    hostile = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LLAMA_ARG_CTX_SIZE": "64",
        "LLAMA_ARG_N_PARALLEL": "3",
        "LLAMA_ARG_MODEL": "/nonexistent.gguf",
        "LLAMA_ARG_HF_REPO": "evil/evil",
        "LLAMA_ARG_PORT": "1",
        "LLAMA_API_KEY": "evil-0123456789abcdef",
        "LLAMA_CACHE": str(home),
        "HF_HOME": str(home),
        "HF_TOKEN": "hf_evil",
        "HF_ENDPOINT": "http://127.0.0.1:1",
        "GGML_BACKEND_PATH": "/nonexistent.so",
        "AIP_MODE": "PREDICTION",
        "http_proxy": "http://127.0.0.1:1",
        "GGML_NLOOP": "9",
    }
    plain = props_of(tested)
    assert props_of(tested, hostile) == plain
    assert plain["total_slots"] == 2 and plain["default_generation_settings"]["n_ctx"] == 1024


def props_of(project: Project, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what the engine says of itself, after an answer with each of two keys, one of which is nobody's."""
    with serving(project, environment=environment) as served:
        assert served.ask().status_code == 200
        assert ask(served.url, {"Authorization": "Bearer evil-0123456789abcdef"}).status_code == 401
        keys = {
            word.partition("=")[0] for word in Path(f"/proc/{served.engine}/environ").read_text().split("\0") if word
        }
        assert not {key for key in keys if key.startswith(("LLAMA", "HF_", "GGML", "AIP", "http"))}, keys
        props: dict[str, Any] = httpx.get(f"{served.url}/props", headers=served.headers, trust_env=False).json()
    props.pop("media_marker")  # drawn by chance at each start
    return props


def test_more_than_it_lets_in_is_refused_and_costs_no_memory(tested: Project) -> None:
    """`benchmarks/flood.py` asks ten thousand times."""
    with serving(tested, "--queue", "16") as served, ThreadPoolExecutor(64) as pool:

        def some(count: int) -> list[httpx.Response]:
            with httpx.Client(headers=served.headers, timeout=60, trust_env=False) as client:
                body = {"messages": HELLO, "max_tokens": 1}
                return [client.post(f"{served.url}/v1/chat/completions", json=body) for _ in range(count)]

        list(pool.map(some, [3] * 64))
        before = resident(served.process.pid)
        answers = [one for group in pool.map(some, [24] * 64) for one in group]
        assert {one.status_code for one in answers} == {200, 429} and len(answers) == 1536
        assert all(int(one.headers["retry-after"]) >= 1 for one in answers if one.status_code == 429)
        assert resident(served.process.pid) - before < 8
        lines = [json.loads(line) for line in Path(served.content["access_log"]).read_text().splitlines()]
        assert len(lines) == 1536 + 192
        assert served.ask().status_code == 200


def resident(pid: int) -> float:
    """Return what a process has in memory, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: full disks, since no file system can be mounted here (that needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill a disk to its last byte."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"0")
    try:
        yield
    finally:
        (disk / "filler").unlink()


def test_a_full_disk_stops_no_answers_and_is_told_at_a_start(tested: Project, disk: Path) -> None:
    project = Project(shutil.copytree(tested.root, disk / "project"))
    with serving(project) as served:
        assert served.ask().status_code == 200
        with full(disk):
            assert [served.ask().status_code for _ in range(40)] == [200] * 40
            metrics = httpx.get(f"{served.url}/metrics", headers=served.headers, trust_env=False).text
            lost = next(line for line in metrics.splitlines() if line.startswith("assay_log_lines_lost "))
            assert float(lost.split()[1]) >= 1
        assert served.ask().status_code == 200
        assert served.end()[0] == 0
    lines = [json.loads(line) for line in Path(served.content["access_log"]).read_text().splitlines()]
    assert 2 <= len(lines) < 43 and all(one["status"] == 200 for one in lines)
    shutil.rmtree(project.state / "serve")
    with full(disk):
        code, out, err = assay("serve", "small", "--port", "0", project=project)
        assert code == 2 and not out and "No space left on device" in err and "Traceback" not in err, err
    with serving(project) as served:
        assert served.ask().status_code == 200


def state_of(project: Project) -> State:
    state = read_state(folder_of(project.state, "small"))
    assert state
    return state


@pytest.fixture
def deployed(tested: Project, disk: Path) -> Iterator[Project]:
    """A local deployment on a small disk."""
    project = Project(shutil.copytree(tested.root, disk / "project"))
    code, _, err = assay("deploy", "small", "--port", "0", "--override", "a test", project=project)
    assert code == 0, err
    keeper = state_of(project).keeper
    yield project
    if keeper.running():
        os.kill(keeper.pid, signal.SIGKILL)
        until(lambda: not keeper.running(), 10)


def answers(state: State) -> bool:
    """Tell whether a deployment answers now."""
    headers = {"Authorization": f"Bearer {Path(state.key_file).read_text().strip()}"}
    with suppress(httpx.TransportError):
        return ask(state.url, headers).status_code == 200
    return False


def test_a_deployment_outlives_a_full_disk(deployed: Project, disk: Path) -> None:
    state, log = state_of(deployed), log_path(deployed.state)
    assert state.engine
    engine = state.engine.pid
    before = log.read_bytes()
    with full(disk):
        code, _, err = assay("deploy", "small", "--port", "0", "--override", "again", project=deployed)
        assert code and "No space left on device" in err and "Traceback" not in err, err
        assert log.read_bytes() == before and answers(state)
        os.kill(state.engine.pid, signal.SIGKILL)
        until(lambda: not alive(engine), 10)
        until(lambda: answers(state), 60)
    until(lambda: state_of(deployed).restarts == 1 and state_of(deployed).phase == "running", 30)
    code, out, err = assay("status", "small", project=deployed)
    assert code == 0, out + err
    with full(disk):
        code, _, err = assay("stop", "small", project=deployed)
        assert code == 7 and "is stopped, but that could not be recorded: No space left on device" in err
        assert log.read_bytes() == before and not answers(state)
    assert assay("stop", "small", project=deployed)[0] == 0
    assert [line.event.action for line in read(log).require().lines] == ["deploy", "stop"]
