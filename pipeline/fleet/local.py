"""Jobs in child processes of this machine: a crash in the engine costs the job, never the user's process."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.evals.model import EvalResult, from_plain
from pipeline.fleet.worker import PREFIX, rebuild


def evaluate(
    suite: Path, weights: Path, *, threads: int, seed: int, gpu_layers: int = 0, progress: Progress = SILENT
) -> EvalResult:
    """Run one quality suite in a child process. Raises what the suite raises, or EngineError when the child dies."""
    job = {"suite": str(suite), "weights": str(weights), "threads": threads, "seed": seed, "gpu_layers": gpu_layers}
    return from_plain(submit(job, progress))


def submit(job: dict[str, Any], progress: Progress = SILENT) -> dict[str, Any]:
    """Run a job, plain JSON in and out, showing its progress. Ctrl-C stops the child."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder, ExitStack() as stack:
        place, answer = Path(folder) / "job.json", Path(folder) / "result.json"
        place.write_text(json.dumps(job))
        tasks: list[Task] = []

        def hear(line: str) -> None:
            if not line.startswith(PREFIX):
                return
            event = json.loads(line.removeprefix(PREFIX))
            if "label" in event:
                tasks.append(stack.enter_context(progress.task(event["label"], event["total"], event["unit"])))
            elif "note" in event:
                progress.note(event["note"])
            elif tasks:
                tasks[-1].advance(event["advance"])

        argv = [sys.executable, "-m", "pipeline.fleet.worker", str(place), str(answer)]
        done = run(argv, env=_environment(), on_stdout=hear)
        if not answer.is_file():
            raise EngineError(f"the engine died while scoring: {done.ending}\n{done.tail(10)}", hint="try assay doctor")
        result: dict[str, Any] = json.loads(answer.read_bytes())
        if "error" in result:
            raise rebuild(result["error"])
        return result


def _environment() -> dict[str, str]:
    """Return what the child may know: enough to import this package, nothing that configures llama.cpp."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")}
    root = str(Path(__file__).resolve().parents[2])
    return {**kept, "PYTHONPATH": root, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "OMP_WAIT_POLICY": "passive"}
