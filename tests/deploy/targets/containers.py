"""What every target in containers must hold to, whichever file it writes."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.core.errors import UsageError
from pipeline.deploy.targets import _container
from tests.deploy import orders

BAD_IMAGES = [
    "",
    "llama.cpp:server",
    "llama.cpp@sha256:55",
    "llama.cpp@sha256:" + "G" * 64,
    "-v /:/x@sha256:" + "5" * 64,
]


def wants_a_digest(target: ModuleType) -> None:
    """Every image without a digest is refused, with what to write instead."""
    for image in BAD_IMAGES:
        with pytest.raises(UsageError, match="image") as error:
            target.render(replace(orders.order(), image=image))
        assert error.value.hint


def start(
    folder: Path, script: str, *, content: bytes = b"weights", says: str = "version: 1 (0c1e570)"
) -> tuple[int, str]:
    """Run a container's start with the real shell and sha256sum; returns the exit code and the output."""
    weights, server = folder / "weights.gguf", folder / "llama-server"
    weights.write_bytes(content)
    server.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{says}" >&2 && exit 0\necho "serving $@"\n')
    server.chmod(0o755)
    env = {
        "PATH": "/usr/bin:/bin",
        "ASSAY_LLAMA_CPP": "0c1e570",
        "ASSAY_SHA256SUMS": f"{hashlib.sha256(b'weights').hexdigest()}  {weights}\n",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", script, str(server), "--model", "two words"], env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def starts_only_what_was_locked(folder: Path) -> None:
    """The engine is started with its arguments, unless the bytes or the llama.cpp are others."""
    assert start(folder, _container.RUN) == (0, "serving --model two words\n")
    assert start(folder, _container.START) == (0, "")
    for script in (_container.RUN, _container.START):
        code, said = start(folder, script, content=b"weightz")
        assert code == 5 and "FAILED" in said and "serving" not in said
        code, said = start(folder, script, says="version: 2 (1234567)")
        assert code == 6 and "not of llama.cpp 0c1e570" in said and "serving" not in said
