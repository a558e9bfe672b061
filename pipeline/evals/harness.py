"""Tasks of the LM Evaluation Harness, run by the harness itself on our scorer: ``assay eval NAME --lm-eval TASKS``.

Tasks may hold Python code, which the harness runs: take them from whom you trust. Data sets are looked for on this machine
only: in files that a task names, and in the cache of Hugging Face where $HF_HOME says it is.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.canonical import digest_of
from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress
from pipeline.evals.harness_model import Wanted, model_class
from pipeline.evals.intervals import Z95
from pipeline.evals.model import EvalResult, Item, Metric

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

KIND = "lm-eval"


@dataclass(frozen=True)
class Harnessed:
    """What came of some tasks: a result for each, by the digest of all that it was asked, or ``wanted``, texts that
    llama-server has to continue first."""

    results: tuple[tuple[EvalResult, str], ...] = ()
    wanted: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def require() -> None:
    """Raise UsageError where the harness is not installed."""
    if importlib.util.find_spec("lm_eval") is None:
        said = "the LM Evaluation Harness is not installed here"
        raise UsageError(said, hint="install it: pip install 'model-assay[lm-eval]'")


def run_tasks(
    tasks: Sequence[str],
    scorer: Scorer,
    *,
    folder: Path | None = None,
    limit: int | None = None,
    answers: Mapping[str, str],
    progress: Progress,
) -> Harnessed:
    """Run tasks by name, or by the path of their YAML file; ``folder`` holds tasks that the harness doesn't know; ``limit``
    takes only the first items of each.

    Raises UsageError where the harness can't load a task, or its data is not on this machine.
    """
    require()
    import lm_eval
    from lm_eval.tasks import TaskManager

    files = all(name.endswith((".yaml", ".yml")) for name in tasks)
    try:
        manager = TaskManager(
            include_path=str(folder) if folder else None, include_defaults=not files and folder is None
        )
        if not files and folder is not None and not set(tasks) <= set(manager.all_tasks):
            manager = TaskManager(include_path=str(folder))
        done = lm_eval.simple_evaluate(
            model=model_class()(scorer, answers, progress),
            tasks=list(tasks),
            task_manager=manager,
            limit=limit,
            bootstrap_iters=1000,
        )
    except Wanted as stop:
        return Harnessed(wanted=stop.requests)
    except (KeyError, ValueError, TypeError, AssertionError, OSError, ImportError) as error:
        said = f"the LM Evaluation Harness can't run {', '.join(tasks)}: {type(error).__name__}: {str(error)[:500]}"
        raise UsageError(
            said, hint="its data must be on this machine: a file, or in the cache that $HF_HOME names"
        ) from error
    return Harnessed(tuple(_result(name, done, lm_eval.__version__, limit) for name in sorted(done["samples"])))


def _result(name: str, done: Mapping[str, Any], version: str, limit: int | None) -> tuple[EvalResult, str]:
    samples = done["samples"][name]
    hashes = [[one["doc_hash"], one["prompt_hash"], one["target_hash"]] for one in samples]
    config = str(digest_of(_plain(done["configs"].get(name, {}))))
    asked = {"task": name, "config": config, "version": version, "limit": limit, "items": hashes}
    filters = {one["filter"] for one in samples}
    items = tuple(_item(one, len(filters) > 1) for one in samples)
    result = EvalResult(
        f"{KIND}:{name}", KIND, tuple(_metrics(done["results"][name], len(items) // len(filters))), items
    )
    return result, str(digest_of(asked))


def _metrics(values: Mapping[str, Any], count: int) -> list[Metric]:
    found = []
    for key, value in values.items():
        name, _, filter_ = key.partition(",")
        if not filter_ or name.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = values.get(f"{name}_stderr,{filter_}")
        low, high = (value - Z95 * error, value + Z95 * error) if isinstance(error, float) else (None, None)
        found.append(Metric(name if filter_ == "none" else f"{name}@{filter_}", float(value), "", low, high, count))
    return found


def _item(sample: Mapping[str, Any], several: bool) -> Item:
    numbers = {name: float(sample[name]) for name in sample["metrics"] if isinstance(sample[name], int | float)}
    score = next(iter(numbers.values()), 0.0)
    detail: dict[str, Any] = {
        "skill": "",
        "prompt": str(sample["arguments"][0][0]),
        "answer": _plain(sample["target"]),
        "metrics": numbers,
        **({"verdict": "right" if score else "wrong"} if score in (0.0, 1.0) else {}),
    }
    texts = [argument[1] for argument in sample["arguments"] if len(argument) > 1 and isinstance(argument[1], str)]
    if texts:
        sums = [float(response[0]) for response in sample["filtered_resps"]]
        detail["choices"] = [
            {"text": text, "logprob": round(total, 6)} for text, total in zip(texts, sums, strict=False)
        ]
        detail["picked"] = max(range(len(sums)), key=sums.__getitem__)
    else:
        detail["response"] = _plain(sample["filtered_resps"])
    name = f"{sample['doc_id']}@{sample['filter']}" if several else str(sample["doc_id"])
    return Item(name, score, detail)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON hasn't, as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | bool | type(None)) else str(value)
