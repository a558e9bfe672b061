"""Orders that give the same plan on every machine, and the folders that hold those plans."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.canonical import digest_of
from pipeline.deploy.plan import Host, Order, Plan
from pipeline.gguf.memory import Memory
from pipeline.lock.argv import compile_argv
from pipeline.lock.model import Lockfile
from tests import factories

GOLDEN = Path(__file__).parent / "golden"
IMAGE = "ghcr.io/ggml-org/llama.cpp@sha256:" + "5" * 64
STORE = Path("/srv/assay/store/blobs/sha256")


def lock(**spec: Any) -> Lockfile:
    """A lock whose command line is that of its spec, with a template of its own and a stop string that every quoting must survive."""
    made = factories.lock(**({"chat": {"stop": ['$(x) 100% "it\'s" \\n ${HOME}']}} | spec))
    file = made.weights
    template = file.model_copy(
        update={"role": "chat_template", "path": "t.jinja", "sha256": str(digest_of("t")), "size": 9}
    )
    return made.model_copy(update={"argv": compile_argv(made.spec, file.digest), "files": (file, template)})


def split(parts: int) -> Lockfile:
    """A lock of weights in several files."""
    made = lock()
    files = [
        made.weights.model_copy(
            update={
                "role": "shard" if number else "weights",
                "path": f"w-{number + 1:05}-of-{parts:05}.gguf",
                "sha256": str(digest_of(number)),
            }
        )
        for number in range(parts)
    ]
    return made.model_copy(update={"files": tuple(files)})


def order(of: Lockfile | None = None, **changes: Any) -> Order:
    """An order on a machine that is always the same."""
    of = of or lock()
    host = Host(
        root=Path("/srv/assay"),
        server=Path("/opt/llama/bin/llama-server"),
        engine={
            Path("/opt/llama/bin/llama-server"): factories.ENGINE_CONTENT["files"]["llama-server"],
            Path("/opt/llama/lib/libllama.so"): factories.ENGINE_CONTENT["files"]["libllama.so"],
        },
        environment={"HOME": "/nonexistent", "LD_LIBRARY_PATH": "/opt/llama/lib", "XDG_CONFIG_HOME": "/nonexistent"},
        threads=2,
        memory=8 << 30,
    )
    paths = {file.sha256: STORE / file.digest.hex[:2] / file.digest.hex for file in of.files}
    made = Order(
        of, host, paths, paths[of.weights.sha256], Memory(3_912_448, 1_048_576), "20260314T092653-00000000", image=IMAGE
    )
    return replace(made, **changes)


def is_golden(plan: Plan, case: str = "") -> None:
    """Compare a plan's files and steps with those in the golden folder. ``WRITE_GOLDEN=1`` writes them there instead."""
    folder = GOLDEN / (case or plan.target)
    have = {**plan.files, "steps.txt": "\n".join(plan.steps) + "\n"}
    if "WRITE_GOLDEN" in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, text in have.items():
            (folder / name).write_text(text)
    assert {path.name: path.read_text() for path in sorted(folder.iterdir())} == have
