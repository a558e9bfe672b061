"""Inspect's log format (an ``EvalLog``, version 2, of inspect_ai), for ``inspect view`` and its data frames.

An item is a sample: its prompt the input, the right choice or what was wanted the target, and its score ``C`` (right),
``I`` (wrong), ``N`` (unknown) or a number. Digests of lock, engine, machine and suite stand in the metadata. One file
holds one run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from pipeline.core.canonical import plain
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.evals.model import Metric
from pipeline.record.model import Run
from pipeline.report.logs._base import Logged, Row, columns, rows

SUFFIX = "json"
_VALUES = {"right": "C", "wrong": "I", "unknown": "N"}


def write(logs: Sequence[Logged], path: Path) -> None:
    """Write the log of one run. Raises UsageError for several."""
    if len(logs) != 1:
        said = (
            f"a log of Inspect holds one run; these are {len(logs)}: {', '.join(one.run.key.subject for one in logs)}"
        )
        raise UsageError(said, hint="choose one with --suite, or write .jsonl or .parquet")
    atomic_write(path, json.dumps(plain(log_of(logs[0])), allow_nan=False, indent=1) + "\n")


def write_folder(logs: Sequence[Logged], folder: Path) -> list[Path]:
    """Write a log for each run, named as Inspect names them: it finds no others in a folder. Returns the files."""
    paths = []
    for logged in logs:
        started = logged.run.started.astimezone(UTC)
        path = folder / f"{started:%Y-%m-%dT%H-%M-%S}+00-00_{logged.run.key.subject}_{logged.run.id}.json"
        write([logged], path)
        paths.append(path)
    return paths


def log_of(logged: Logged) -> dict[str, Any]:
    """Return the log as JSON."""
    run, lock = logged.run, logged.lock
    samples = list(rows(run))
    suite = lock.suites.get(run.key.subject)
    ended = run.started + timedelta(seconds=run.seconds)
    weights = lock.weights
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": run.id,
            "run_id": run.id,
            "task_id": run.key.subject,
            "created": run.started,
            "task": run.key.subject,
            "task_version": suite.version if suite else "unknown",
            "dataset": {
                "name": run.key.subject,
                "location": run.key.subject_digest,
                "samples": len(samples),
                "sample_ids": [row.item for row in samples],
                "shuffled": False,
            },
            "model": f"assay/{run.model}",
            "model_args": {"weights": weights.sha256, "path": weights.path, "argv": list(run.argv)},
            "model_generate_config": {"seed": run.seed} if run.argv else {},
            "config": {"epochs": 1},
            "packages": {"model-assay": run.assay_version, "llama-cpp-python": lock.engine.llama_cpp_python},
            "metadata": columns(logged),
        },
        "plan": {"name": "assay", "steps": []},
        "results": _results(run, samples),
        "stats": {"started_at": run.started, "completed_at": ended, "model_usage": {}},
        "samples": [_sample(row) for row in samples],
    }


def _results(run: Run, samples: Sequence[Row]) -> dict[str, Any]:
    evaluation = run.result.evaluation
    passed = [row.score for row in samples if row.score is not None]
    metrics = evaluation.metrics if evaluation else ()
    shown = [_metric(metric) for metric in metrics]
    if not evaluation and passed:
        shown = [{"name": "passed", "value": sum(passed) / len(passed)}]
    score = {
        "name": "assay",
        "scorer": evaluation.kind if evaluation else "behaviour",
        "scored_samples": len(passed),
        "unscored_samples": len(samples) - len(passed),
        "metrics": {metric["name"]: metric for metric in shown},
    }
    return {"total_samples": len(samples), "completed_samples": len(samples), "scores": [score]}


def _metric(metric: Metric) -> dict[str, Any]:
    more = {"unit": metric.unit, "low": metric.low, "high": metric.high, "n": metric.n}
    return {"name": metric.name, "value": metric.value, "metadata": more}


def _sample(row: Row) -> dict[str, Any]:
    detail = row.detail
    choices = [str(choice.get("text", "")) for choice in detail.get("choices") or () if isinstance(choice, dict)]
    prompt = row.prompt or detail.get("text") or _messages(detail)
    metadata = {key: value for key, value in detail.items() if key not in ("prompt", "text", "request")}
    return {
        "id": row.item,
        "epoch": 1,
        "input": prompt,
        "choices": choices or None,
        "target": _target(detail, choices),
        "output": {"model": "assay", "choices": [_said(row.answer)] if row.answer else []},
        "scores": {
            "assay": {
                "value": _VALUES.get(row.verdict, row.score),
                "answer": row.answer or None,
                "explanation": detail.get("reason") or detail.get("diagnosis") or None,
            }
        },
        "metadata": metadata,
    }


def _said(text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, "source": "generate"}, "stop_reason": "unknown"}


def _messages(detail: dict[str, Any]) -> str:
    """Return what a case asked, as text: its messages are of OpenAI's shape, which is not quite Inspect's."""
    request = detail.get("request")
    return json.dumps(request, ensure_ascii=False) if request else ""


def _target(detail: dict[str, Any], choices: Sequence[str]) -> str | list[str]:
    answer, wanted = detail.get("answer"), detail.get("wanted")
    if choices and isinstance(answer, int) and 0 <= answer < len(choices):
        return choices[answer]
    if wanted is None:
        return ""
    if isinstance(wanted, list) and all(isinstance(one, str) for one in wanted):
        return wanted
    return wanted if isinstance(wanted, str) else json.dumps(plain(wanted), ensure_ascii=False)
