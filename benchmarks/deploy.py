"""How long `assay deploy` takes to the first token, beside bare `llama-server` after the same hashing, in turns.

By hand means: SHA-256 of the file, then llama-server with the same arguments, then the same request as soon as /health says that it is
ready. Either side's clock starts with its program and ends with the first event that carries text.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Pairs, as_installed, told

from pipeline.bench.stats import median
from pipeline.core.digest import Digest
from pipeline.core.proc import spawn
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import wait_ready
from tests.projects import free_port

WEIGHTS = Path(__file__).parents[1] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
SPEC = """\
name: model
source: file:../models/model.gguf
engine: {context: 1024, slots: 1, threads: 1}
profile: completion
"""
ASKED = {"prompt": "Hello", "max_tokens": 4, "stream": True, "ignore_eos": True}
GOAL = 1.15
ASSAY = (sys.executable, "-m", "pipeline.cli.main")


def first_token(client: httpx.Client, url: str) -> None:
    """Ask, and read until the first event with text."""
    with client.stream("POST", url, json=ASKED) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["text"]:
                return
    raise RuntimeError("no text came")


def by_assay(root: Path) -> float:
    """Deploy, ask, and take it out of service again; returns the seconds to the first token."""
    began = time.monotonic()
    argv = [*ASSAY, "deploy", "model", "--port", "0", "--override", "a benchmark", "--json"]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True)
    deployed = json.loads(done.stdout)
    headers = {"Authorization": f"Bearer {Path(deployed['key_file']).read_text().strip()}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
        first_token(client, f"{deployed['url']}/completions")
        took = time.monotonic() - began
    subprocess.run([*ASSAY, "stop", "model"], cwd=root, capture_output=True, check=True)
    return took


def by_hand(lock: Lockfile, build: EngineBuild, weights: Path, folder: Path) -> float:
    """Hash, start, ask; returns the seconds to the first token."""
    listen = Listen("127.0.0.1", free_port())
    (folder / "key").write_text("none\n")
    argv = server_argv(lock, weights=weights, template=None, listen=listen, key_file=folder / "key", threads=1)
    headers = {"Authorization": "Bearer none"}
    with httpx.Client(base_url=f"http://{listen.host}:{listen.port}", headers=headers, trust_env=False) as client:
        began = time.monotonic()
        Digest.of_file(weights)
        with spawn((str(build.server), *argv), env=build.environment, log=folder / "log") as process:
            wait_ready(process, listen, 60.0)
            first_token(client, "/v1/completions")
            return time.monotonic() - began


def main() -> int:
    """Run both in turns and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=WEIGHTS)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}, {args.model.name}, {args.model.stat().st_size >> 20} MiB")
    with tempfile.TemporaryDirectory() as name:
        folder, pairs = Path(name), Pairs()
        as_installed(folder)
        for part in ("specs", "models"):
            (folder / part).mkdir()
        (folder / "models" / "model.gguf").write_bytes(args.model.read_bytes())
        (folder / "specs" / "model.yaml").write_text(SPEC)
        session, build = Session(Project(folder)), find_engine()
        lock = make_lock(session, "model").lock
        (weights,) = fetch_all(session, [lock])
        by_assay(folder)
        for number in range(args.rounds):
            before = by_hand(lock, build, weights, folder) if number % 2 else None
            ours = by_assay(folder)
            pairs.add(ours, before or by_hand(lock, build, weights, folder))
    (ratio, low, high), (later, least, most) = pairs.ratio, pairs.later
    print(
        f"by hand {median(pairs.second):.2f} s, assay deploy {median(pairs.first):.2f} s, {later:+.2f} s ({least:+.2f} to {most:+.2f});"
    )
    print(f"x{ratio:.2f} ({low:.2f} to {high:.2f}), at most x{GOAL}: {told(pairs.ratio, 0, GOAL)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
