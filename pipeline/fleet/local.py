"""Jobs in child processes of this machine: a crash in the engine costs the job, never the user's process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.core.scratch import scratch
from pipeline.evals.engine import Model
from pipeline.evals.model import EvalResult, from_plain
from pipeline.fleet.worker import PREFIX, rebuild


def evaluate(
    suite: Path,
    model: Model,
    *,
    threads: int,
    gpu_layers: int = 0,
    reference: Model | None = None,
    scores: Path | None = None,
    progress: Progress = SILENT,
) -> EvalResult:
    """Run one quality suite in a child process; the arguments are those of ``run_suite``. Raises what the suite raises, or
    EngineError when the child dies."""
    job = {
        "suite": str(suite),
        "model": plain_model(model),
        "threads": threads,
        "gpu_layers": gpu_layers,
        "reference": plain_model(reference) if reference else None,
        "scores": str(scores) if scores else None,
    }
    return from_plain(submit(job, progress))


def plain_model(model: Model) -> dict[str, Any]:
    """Return a model as JSON."""
    return {
        "weights": str(model.weights),
        "overrides": dict(model.overrides),
        "identity": model.identity,
        "pooling": model.pooling,
    }


def submit(
    job: dict[str, Any],
    progress: Progress = SILENT,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a job, plain JSON in and out, showing its progress, in the folder ``cwd`` with more of an ``environment``. Ctrl-C
    stops the child.

    Raises the AssayError that the job raised; EngineError when the child died; RuntimeError with the child's traceback
    when the job has a bug.
    """
    with scratch() as folder, _Shown(progress) as shown:
        place, answer = folder / "job.json", folder / "result.json"
        place.write_text(json.dumps(job))
        # -P: a folder that we happen to be in must not lend its modules to the child.
        argv = [sys.executable, "-P", "-m", "pipeline.fleet.worker", str(place), str(answer)]
        done = run(argv, env={**_environment(), **(environment or {})}, cwd=cwd, on_stdout=shown.hear)
        if not answer.is_file():
            raise EngineError(f"the engine died while scoring: {done.ending}\n{done.tail(10)}", hint="try assay doctor")
        result: dict[str, Any] = json.loads(answer.read_bytes())
    if "error" in result:
        raise rebuild(result["error"])
    if "bug" in result:
        raise RuntimeError(f"in a job's process:\n{result['bug']}")
    return result


class _Shown:
    """Shows the child's tasks for as long as it says, and none after its end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._open: dict[int, tuple[AbstractContextManager[Task], Task]] = {}

    def hear(self, line: str) -> None:
        """Take one line of the child's stdout; what isn't progress is not for people."""
        if not line.startswith(PREFIX):
            return
        event = json.loads(line.removeprefix(PREFIX))
        if "note" in event:
            self._progress.note(event["note"])
        elif "label" in event:
            opened = self._progress.task(event["label"], event["total"], event["unit"])
            self._open[event["task"]] = opened, opened.__enter__()
        elif "advance" in event:
            self._open[event["task"]][1].advance(event["advance"])
        else:
            self._open.pop(event["task"])[0].__exit__(None, None, None)

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for opened, _task in self._open.values():
                stack.push(opened)


def _environment() -> dict[str, str]:
    """Return what the child may know: enough to import this package, nothing that configures llama.cpp."""
    kept = ("PATH", "TMPDIR", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")
    known = {key: value for key, value in os.environ.items() if key in kept}
    root = str(Path(__file__).resolve().parents[2])
    return {**known, "PYTHONPATH": root, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "OMP_WAIT_POLICY": "passive"}
