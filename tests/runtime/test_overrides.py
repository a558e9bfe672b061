"""What a spec overrides takes effect in the real server: llama.cpp is silent about overrides that it does not take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import EngineError
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.runtime.server import Running, running
from tests import zoo
from tests.projects import edit, make_project

END = zoo.token("<|im_end|>")


@contextmanager
def served(folder: Path, defect: str, overrides: str) -> Iterator[Running]:
    """The server of a file of the zoo, under a spec with overrides."""
    folder.mkdir(exist_ok=True)
    zoo.DEFECTS[defect].make(folder / "broken.gguf")
    project = make_project(folder / "project", folder / "broken.gguf")
    edit(project.specs / "small.yaml", "threads: 1", f"threads: 1, overrides: {{{overrides}}}")
    session = Session(project)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    stored = session.stored(lock)
    with running(session.engine, lock, weights=stored.weights, template=stored.template, threads=1) as server:
        yield server


def finish(server: Running) -> Any:
    body = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 40}
    return server.client.post("/v1/chat/completions", json=body).json()["choices"][0]["finish_reason"]


def tokens(server: Running) -> list[int]:
    body = {"content": "Hello", "add_special": True}
    return list(server.client.post("/tokenize", json=body).json()["tokens"])


@pytest.mark.parametrize("role", ["eos", "eot", "eom"])
def test_a_token_that_is_named_ends_answers(tmp_path: Path, role: str) -> None:
    with served(tmp_path / "named", "end-of-turn-not-named", f"tokenizer.ggml.{role}_token_id: {END}") as server:
        assert finish(server) == "stop"


def test_without_it_answers_run_on(tmp_path: Path) -> None:
    with served(tmp_path, "end-of-turn-not-named", "tokenizer.ggml.padding_token_id: 1") as server:
        assert finish(server) == "length"


def test_bos_and_eos_are_added_as_the_spec_says(tmp_path: Path) -> None:
    overrides = "tokenizer.ggml.add_bos_token: true, tokenizer.ggml.bos_token_id: 300"
    with served(tmp_path, "eos-after-prompts", f"tokenizer.ggml.add_eos_token: false, {overrides}") as server:
        found = tokens(server)
    assert found[0] == 300 and END not in found


@pytest.mark.parametrize(
    ("defect", "override"),
    [
        ("pre-unknown", f"tokenizer.ggml.pre: {zoo.value('tokenizer.ggml.pre')}"),
        ("id-of-another-type", "tokenizer.ggml.padding_token_id: 796"),
    ],
)
def test_a_file_that_the_engine_refuses_is_served(tmp_path: Path, defect: str, override: str) -> None:
    with served(tmp_path / "mended", defect, override) as server:
        assert finish(server) == "stop"
    with (
        pytest.raises(EngineError, match="not ready"),
        served(tmp_path / "broken", defect, "tokenizer.ggml.mask_token_id: 1"),
    ):
        pass
