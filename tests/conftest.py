"""What tests share: the embedded model, the engine, and real servers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from pipeline.core.digest import Digest
from pipeline.core.proc import spawn
from pipeline.core.project import Project
from pipeline.flow.prepare import fetch_all
from pipeline.flow.run import run as run_main_job
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of
from pipeline.lock.argv import compile_argv
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.runtime.params import HARDENED, Listen
from pipeline.runtime.server import wait_ready
from pipeline.spec.model import Engine, Spec
from tests.projects import make_project

ROOT = Path(__file__).parent.parent
Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session", autouse=True)
def nothing_from_outside() -> Iterator[None]:
    """What the user's shell and home say of other projects, stores, engines and hubs does not reach the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("ASSAY_", "HF_", "OLLAMA_", "DOCKER_", "REGISTRY_AUTH")) or name.lower().endswith(
                "_proxy"
            ):
                patch.delenv(name)
        for name in ("HF_HOME", "OLLAMA_MODELS", "DOCKER_CONFIG"):  # else they would be under the user's home
            patch.setenv(name, "/nonexistent")
        yield


@pytest.fixture(scope="session")
def tiny_chat() -> Path:
    """The embedded model, Q8_0."""
    return ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"


@pytest.fixture(scope="session")
def engine_build() -> EngineBuild:
    """The llama.cpp that came with the Python bindings."""
    return find_engine()


@pytest.fixture(scope="session")
def cold_project(tmp_path_factory: pytest.TempPathFactory, tiny_chat: Path) -> Project:
    """A small locked project with an empty store. Not to be changed: take ``project``."""
    return make_project(tmp_path_factory.mktemp("cold") / "project", tiny_chat)


@pytest.fixture
def project(cold_project: Project, tmp_path: Path) -> Project:
    """A small locked project with an empty store: one spec, ``small``."""
    return Project(shutil.copytree(cold_project.root, tmp_path / "project"))


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, cold_project: Project) -> Project:
    """A small project after its main job. Not to be changed: take ``assayed``."""
    root = shutil.copytree(cold_project.root, tmp_path_factory.mktemp("finished") / "project")
    ran = run_main_job(Session(Project(root)), "small")
    assert ran.exit_code == 0, ran
    return Project(root)


@pytest.fixture
def assayed(finished_project: Project, tmp_path: Path) -> Project:
    """A small project after its main job: everything is in the store and on record."""
    return Project(shutil.copytree(finished_project.root, tmp_path / "project"))


@pytest.fixture(scope="session")
def tested_project(tmp_path_factory: pytest.TempPathFactory, cold_project: Project) -> Project:
    """A small project with lint, checks and evals on record, and no benchmark. Not to be changed: take ``tested``."""
    session = Session(Project(shutil.copytree(cold_project.root, tmp_path_factory.mktemp("tested") / "project")))
    lock = session.current("small")
    fetch_all(session, [lock])
    do(session, jobs_of(session, lock, ["lint", "check", "eval"]))
    return session.project


@pytest.fixture
def tested(tested_project: Project, tmp_path: Path) -> Project:
    """A small project with lint, checks and evals on record."""
    return Project(shutil.copytree(tested_project.root, tmp_path / "project"))


@pytest.fixture(scope="module")
def serve(engine_build: EngineBuild) -> Iterator[Serve]:
    """Start servers: ``serve(weights, template=path)`` returns a client of a ready one; they end with the module."""
    with ExitStack() as stack:

        def start(weights: Path, *, template: Path | None = None, context: int = 1024) -> httpx.Client:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-")))
            spec = Spec(name="model", source=f"file:{weights}", engine=Engine(context=context))
            argv = [
                *(
                    str(engine_build.server),
                    "--model",
                    str(weights),
                    *compile_argv(spec, Digest.of_file(weights)),
                    *HARDENED,
                ),
                *(("--chat-template-file", str(template)) if template else ()),
                *("--threads", "1", "--threads-batch", "1", "--host", str(folder / "llama.sock")),
            ]
            process = spawn(argv, env=engine_build.environment, log=folder / "log")
            stack.callback(process.stop, 1.0)
            transport = httpx.HTTPTransport(uds=str(folder / "llama.sock"))
            client = stack.enter_context(httpx.Client(transport=transport, base_url="http://localhost"))
            wait_ready(process, Listen(str(folder / "llama.sock")), 60.0)
            return client

        yield start
