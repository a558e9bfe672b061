"""Values to database rows and back, exactly: what was written is equal to what is read.

Times are stored in UTC. Text is stored as UTF-8; a lone surrogate, which is not text, becomes ``?``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.lint.model import Finding, NotJudged, Severity
from pipeline.record.model import Decision, Reason, Run, RunKey, StageResult

Row = tuple[Any, ...]


def text(value: str) -> str:
    """Return ``value`` with lone surrogates replaced."""
    return value.encode("utf-8", "replace").decode()


def to_json(value: Any) -> str:
    """Return canonical JSON text. Raises ValueError on NaN and infinity: a missing number is null."""
    return text(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC without a zone. Raises ValueError on a time that doesn't say its zone."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment.isoformat()}")
    return moment.astimezone(UTC).replace(tzinfo=None)


def run_row(run: Run, number: int) -> Row:
    """Return the row of table ``runs``."""
    key, evaluation = run.key, run.result.evaluation
    return (
        *(run.id, number, run.model, key.lock_digest, key.engine_digest, key.hardware_digest),
        *(key.stage, key.subject, key.subject_digest, to_utc(run.started), run.seconds, run.assay_version),
        *([text(part) for part in run.argv], run.seed, run.outputs_digest),
        *((evaluation.suite, evaluation.kind) if evaluation else (None, None)),
    )


def result_rows(run: Run) -> dict[str, list[Row]]:
    """Return the rows of every other table, by table."""
    result = run.result
    metrics, items = (result.evaluation.metrics, result.evaluation.items) if result.evaluation else ((), ())
    rows: dict[str, Iterable[Row]] = {
        "findings": (
            (f.code, f.severity.value, *map(text, (f.message, f.where, f.evidence, f.fix))) for f in result.findings
        ),
        "outcomes": (
            (
                *(text(o.suite), text(o.group), text(o.case), o.verdict.value, text(o.diagnosis)),
                *(to_json(o.request), to_json(o.response), o.seconds, text(o.grade), o.attempt, o.sampled),
            )
            for o in result.outcomes
        ),
        "metrics": ((m.name, m.value, m.unit, m.low, m.high, m.n) for m in metrics),
        "eval_items": ((text(i.id), i.score, to_json(i.detail)) for i in items),
        "bench_rows": (
            (
                *(b.layer, b.test, b.metric, b.value, b.unit, list(b.samples), text(b.reason), to_json(b.detail)),
                *(b.low, b.high, b.inconclusive),
            )
            for b in result.bench
        ),
        "not_judged": ((one.code, text(one.reason)) for one in result.not_judged),
        "causes": (
            (*map(text, (c.id, c.words, c.known, c.advice)), [text(case) for case in c.cases]) for c in result.causes
        ),
    }
    return {table: [(run.id, position, *row) for position, row in enumerate(found)] for table, found in rows.items()}


def decision_row(decision: Decision, number: int) -> Row:
    """Return the row of table ``decisions``."""
    reasons = [
        {"rule": r.rule, "verdict": r.verdict.value, "message": r.message} | ({"waived": r.waived} if r.waived else {})
        for r in decision.reasons
    ]
    return (
        *(decision.id, number, decision.model, decision.lock_digest, decision.engine_digest, decision.hardware_digest),
        *(
            decision.accepted,
            to_utc(decision.decided),
            to_json(reasons),
            list(decision.run_ids),
            to_json(decision.spec_gates),
        ),
    )


READERS: dict[str, Callable[..., Any]] = {
    "findings": lambda code, severity, *rest: Finding(code, Severity(severity), *rest),
    "outcomes": lambda suite, group, case, verdict, diagnosis, request, response, *rest: Outcome(
        suite, group, case, Verdict(verdict), diagnosis, json.loads(request), json.loads(response), *rest
    ),
    "metrics": Metric,
    "eval_items": lambda item, score, detail: Item(item, score, json.loads(detail)),
    "bench_rows": lambda layer, test, metric, value, unit, samples, reason, detail, *rest: BenchRow(
        layer, test, metric, value, unit, tuple(samples), reason, json.loads(detail), *rest
    ),
    "not_judged": NotJudged,
    "causes": lambda cause, words, known, advice, cases: Cause(cause, words, known, advice, tuple(cases)),
}


def to_run(row: Row, values: dict[str, tuple[Any, ...]]) -> Run:
    """Return the run of a row of ``runs`` with the values of its other tables."""
    (id, _, model, *key, started, seconds, version, argv, seed, outputs, suite, kind) = row
    evaluation = None if suite is None else EvalResult(suite, kind, values["metrics"], values["eval_items"])
    result = StageResult(
        *(
            values["findings"],
            values["outcomes"],
            evaluation,
            values["bench_rows"],
            values["not_judged"],
            values["causes"],
        )
    )
    return Run(
        id, model, RunKey(*key), started.replace(tzinfo=UTC), seconds, result, version, tuple(argv), seed, outputs
    )


def to_decision(row: Row) -> Decision:
    """Return the decision of a row of ``decisions``."""
    (id, _, model, lock, engine, hardware, accepted, decided, reasons, run_ids, gates) = row
    found = tuple(
        Reason(r["rule"], Verdict(r["verdict"]), r["message"], r.get("waived", "")) for r in json.loads(reasons)
    )
    moment = decided.replace(tzinfo=UTC)
    return Decision(id, model, lock, engine, hardware, accepted, found, tuple(run_ids), moment, json.loads(gates))
