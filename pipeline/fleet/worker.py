"""The child's side: ``python -m pipeline.fleet.worker JOB RESULT``. Progress goes to stdout, a JSON line an event."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.core import errors
from pipeline.core.errors import AssayError, Problem, SpecError
from pipeline.core.progress import Task
from pipeline.evals.engine import Model

PREFIX = "assay-progress "


def tell(**event: Any) -> None:
    """Write one event for the parent."""
    print(PREFIX + json.dumps(event), flush=True)


class Telling:
    """Progress that is written to stdout for the parent to show."""

    def __init__(self) -> None:
        self._numbers = count(1)

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        number = next(self._numbers)
        tell(task=number, label=label, total=total, unit=unit)
        try:
            yield _Told(number)
        finally:
            tell(task=number)

    def note(self, message: str) -> None:
        tell(note=message)


@dataclass(frozen=True)
class _Told:
    number: int

    def advance(self, amount: int = 1) -> None:
        tell(task=self.number, advance=amount)


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job: run one quality suite, or tasks of the LM Evaluation Harness."""
    from pipeline.evals.engine import load_suite, run_suite

    if "tasks" in job:
        return _tasks(job)

    result = run_suite(
        load_suite(Path(job["suite"])),
        _model(job["model"]),
        threads=job["threads"],
        gpu_layers=job["gpu_layers"],
        reference=_model(job["reference"]) if job["reference"] else None,
        scores=Path(job["scores"]) if job["scores"] else None,
        progress=Telling(),
    )
    return asdict(result)


def _tasks(job: dict[str, Any]) -> dict[str, Any]:
    from pipeline.evals.engine import scoring
    from pipeline.evals.harness import require, run_tasks

    require()
    scores, folder = (Path(job[name]) if job[name] else None for name in ("scores", "folder"))
    progress = Telling()
    with scoring(_model(job["model"]), threads=job["threads"], gpu_layers=job["gpu_layers"], scores=scores) as scorer:
        done = run_tasks(
            job["tasks"], scorer, folder=folder, limit=job["limit"], answers=job["answers"], progress=progress
        )
    return {"results": [[asdict(result), digest] for result, digest in done.results], "wanted": dict(done.wanted)}


def _model(content: dict[str, Any]) -> Model:
    return Model(Path(content["weights"]), content["overrides"], content["identity"], content.get("pooling", "model"))


def plain(error: AssayError) -> dict[str, Any]:
    """Return an error as JSON, for the parent to raise again."""
    problems = [asdict(problem) for problem in error.problems] if isinstance(error, SpecError) else []
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "problems": problems,
        "code": error.exit_code,
    }


def rebuild(content: dict[str, Any]) -> AssayError:
    """Return the error that ``plain`` wrote; of an unknown kind, one with the same exit code."""
    if content["problems"]:
        return SpecError([Problem(**problem) for problem in content["problems"]])
    kind = getattr(errors, content["kind"], None)
    if isinstance(kind, type) and issubclass(kind, AssayError):
        return kind(content["message"], hint=content["hint"])
    error = AssayError(content["message"], hint=content["hint"])
    error.exit_code = content["code"]
    return error


def main() -> None:
    """Do the job in the file that the first argument names, and leave its result in the second, whole or not at all."""
    place, answer = map(Path, sys.argv[1:])
    try:
        result = work(json.loads(place.read_bytes()))
    except AssayError as error:
        result = {"error": plain(error)}
    except Exception:
        result = {"bug": traceback.format_exc()}
    answer.with_suffix(".new").write_text(json.dumps(result))
    answer.with_suffix(".new").replace(answer)


if __name__ == "__main__":
    main()
