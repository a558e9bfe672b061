"""Deployments of the small project ``small``, and clients that ask them without a pause."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.proc import run
from pipeline.core.project import Project
from pipeline.deploy.log import Log, log_path, read
from pipeline.deploy.state import State, folder_of, read_state
from pipeline.flow.deploying import Deployed, Wanted, deploy
from pipeline.flow.judge import judge
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of
from pipeline.flow.status import Stand, status
from pipeline.lock.load import read_lock
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import find_engine
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import Running, started
from tests import zoo
from tests.projects import assay, until

F16 = Path(__file__).parents[1] / "models" / "tiny-chat" / "tiny-chat-f16.gguf"
LOCAL = Wanted("local", port=0)


def log_of(project: Project) -> Log:
    return read(log_path(project.state)).require()


def state_of(project: Project) -> State:
    state = read_state(folder_of(project.state, "small"))
    assert state
    return state


def put(project: Project, wanted: Wanted = LOCAL) -> Deployed:
    session = Session(project)
    return deploy(session, session.current("small"), wanted)


def stand(project: Project, *, deep: bool = False) -> Stand:
    (one,) = status(Session(project), ("small",), deep=deep)
    return one


def ask(state: State) -> Any:
    headers = {"Authorization": f"Bearer {Path(state.key_file).read_text().strip()}"}
    body = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8}
    answer = httpx.post(f"{state.url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)
    answer.raise_for_status()
    return answer.json()["choices"][0]["message"]["content"]


def newer(project: Project) -> None:
    """Lock other weights under the same name, and let the gate accept them."""
    zoo.changed(general__name="newer")(project.root / "models" / "small.gguf")
    make_lock(Session(project), "small")
    accept(project)


def requantize(project: Project, kind: str = "q4_0") -> None:
    """Lock another quantization of the model under the same name; the gate knows nothing of it."""
    build, made = find_engine(), project.root / "models" / "small.gguf"
    made.unlink()
    argv: list[str | Path] = [build.tool("llama-quantize"), F16, made, kind]
    assert run(argv, env=build.environment, timeout=60).returncode == 0
    make_lock(Session(project), "small")


def accept(project: Project) -> None:
    """Let the gate accept ``small`` by all it asks for: its gates name no benchmark."""
    session = Session(project)
    lock = session.current("small")
    fetch_all(session, [lock])
    do(session, jobs_of(session, lock, ["lint", "check", "eval"]))
    decision = judge(session, lock)
    assert decision.accepted, decision.reasons


@contextmanager
def nothing_after(project: Project) -> Iterator[Project]:
    """Let no deployment of ``small`` go on after the block."""
    try:
        yield project
    finally:
        state = read_state(folder_of(project.state, "small"))
        if state and state.keeper.running():
            os.kill(state.keeper.pid, signal.SIGKILL)


def answer(project: Project, *arguments: str, code: int = 0) -> Any:
    """Return what a command answers with ``--json``."""
    got, out, err = assay(*arguments, "--json", project=project)
    assert got == code, (arguments, out, err)
    return json.loads(out)


@contextmanager
def engine_of(project: Project, weights: Path) -> Iterator[tuple[Running, Lockfile]]:
    """Run the engine of the lock of ``small``, and nothing around it."""
    lock, build = read_lock(project, "small"), find_engine()

    def argv(listen: Listen, key_file: Path) -> tuple[str, ...]:
        return server_argv(lock, weights=weights, template=None, listen=listen, key_file=key_file, threads=1)

    with started((str(build.server),), build.environment, argv, 60.0) as running:
        yield running, lock


def key_of(state: State) -> dict[str, str]:
    """Return the header that lets a client in."""
    return {"Authorization": f"Bearer {Path(state.key_file).read_text().strip()}"}


@dataclass
class Crowd:
    """Clients that each ask the next question when they have the answer to the last. ``answers``: when it began and ended, the status, and
    the lock that answered, or what went wrong.
    """

    answers: list[tuple[float, float, int, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def more(self, count: int = 20) -> None:
        """Wait for so many more answers to questions that are asked from now on."""
        now = time.monotonic()
        until(lambda: len(self.since(now)) >= count, 60)

    def since(self, when: float) -> list[str]:
        """Return which locks answered what was asked after a moment."""
        return [lock for began, _, _, lock in list(self.answers) if began >= when]

    @property
    def faults(self) -> list[tuple[float, float, int, str]]:
        """All that was not answered with 200."""
        return [one for one in self.answers if one[2] != 200]


@contextmanager
def crowd(state: State, size: int = 4) -> Iterator[Crowd]:
    """Let clients ask a deployment until the block ends; every kind of question, each of a few tokens."""
    made = Crowd()
    hello = [{"role": "user", "content": "Hello!"}]
    questions: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {"model": "small", "messages": hello, "max_tokens": 6}),
        ("/v1/chat/completions", {"messages": hello, "max_tokens": 6, "stream": True}),
        ("/v1/completions", {"prompt": "Once", "max_tokens": 6}),
        ("/tokenize", {"content": "Hello!"}),
    ]

    def ask_on(number: int) -> None:
        with httpx.Client(base_url=state.url, headers=key_of(state), trust_env=False, timeout=120) as client:
            while not made.over.is_set():
                path, body = questions[number % len(questions)]
                number, began = number + 1, time.monotonic()
                try:
                    answer = client.post(path, json=body)
                    whole = "[DONE]" in answer.text if body.get("stream") else bool(answer.json())
                    code, lock = answer.status_code if whole else 0, answer.headers["x-assay-lock"]
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    code, lock = 0, repr(error)
                made.answers.append((began, time.monotonic(), code, lock))

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(size)]
    for one in threads:
        one.start()
    try:
        yield made
    finally:
        made.over.set()
        for one in threads:
            one.join()


class Stream:
    """A long answer, too big for any buffer on its way, that is read no further than its beginning until ``whole`` is asked for."""

    def __init__(self, state: State, tokens: int) -> None:
        self.lines, self.began, self._on = list[str](), threading.Event(), threading.Event()
        body = {"prompt": "Hello", "max_tokens": tokens, "stream": True, "ignore_eos": True, "logprobs": 100}

        def read() -> None:
            with (
                suppress(httpx.TransportError),  # broken off: then it is not whole
                httpx.Client(base_url=state.url, headers=key_of(state), transport=narrow, timeout=120) as client,
                client.stream("POST", "/v1/completions", json=body) as answer,
            ):
                self.lock = answer.headers["x-assay-lock"]
                for line in answer.iter_lines():
                    self.lines.append(line[:20])
                    self.began.set()
                    self._on.wait(50)

        narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)], verify=False)
        self.thread = threading.Thread(target=read)
        self.thread.start()
        assert self.began.wait(30)

    @property
    def pieces(self) -> int:
        """How many tokens have come."""
        return sum(line.startswith("data: {") for line in self.lines)

    def whole(self) -> bool:
        """Read on; tells whether it comes to its end."""
        self._on.set()
        self.thread.join(120)
        return [line for line in self.lines if line][-1] == "data: [DONE]"
