from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import EngineError
from pipeline.core.project import Project
from pipeline.deploy.door.model import Upstream
from pipeline.flow import canary as module
from pipeline.flow.backend import Backend, start
from pipeline.flow.canary import canary
from pipeline.flow.session import Session
from tests.deploy.door.scripted import scripted, whole


@pytest.fixture(scope="module")
def backend(cold_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("canary")
    session = Session(Project(shutil.copytree(cold_project.root, folder / "project")))
    with start(session, session.current("small"), folder / "log") as one:
        yield one


def to(backend: Backend, upstream: Upstream) -> Backend:
    """The same engine for all that the canary knows, with another socket."""
    return Backend(
        backend.lock, backend.process, upstream, {}, backend.log, backend._watch, backend._pulse, ExitStack()
    )


@pytest.mark.parametrize("profile", ["chat", "completion"])
def test_the_real_engine_answers_a_first_prompt_as_its_users_will_ask(backend: Backend, profile: str) -> None:
    spec = backend.lock.spec.model_copy(update={"profile": profile})
    asked = replace(to(backend, backend.upstream), lock=backend.lock.model_copy(update={"spec": spec}))
    with backend.client() as client:
        before = client.get("/metrics").text
        canary(asked)
        assert client.get("/metrics").text != before


@pytest.mark.parametrize(
    "answer",
    [
        whole(b'{"usage": {"completion_tokens": 0}}'),
        whole(b'{"usage": {"completion_tokens": true}}'),
        whole(b'{"choices": []}'),
        whole(b"nonsense"),
        whole(b'{"usage": {"completion_tokens": 4}}', b"HTTP/1.1 500 Oops\r\n"),
        b"",
    ],
    ids=["no token", "no number", "no usage", "no JSON", "500", "nothing"],
)
def test_what_does_not_answer_with_a_token_is_no_engine(backend: Backend, answer: bytes) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-", dir="/tmp")))
        upstream = stack.enter_context(scripted(folder, lambda client, _: client.sendall(answer)))
        with pytest.raises(EngineError, match="small is up, and does not answer a first prompt: "):
            canary(to(backend, upstream))


def test_one_that_says_nothing_is_not_waited_for_for_ever(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_WITHIN", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"/tmp/assay-{tmp_path.parent.name}-silent.sock")
        silent.listen()
        path = Path(silent.getsockname())
        try:
            with pytest.raises(EngineError, match="ReadTimeout"):
                canary(to(backend, replace(backend.upstream, socket=path)))
        finally:
            path.unlink()
