"""A metric over the runs of a model, and where its level changed; and what catalogs and machines are drawn from."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.bench.model import BenchRow
from pipeline.evals.model import Metric
from pipeline.record.access import reading
from pipeline.record.changes import changes


@dataclass(frozen=True)
class Value:
    """What one run gave. ``level`` counts up where the values of a test, on one class of hardware, changed for good."""

    run: str
    model: str
    suite: str
    started: datetime
    lock_digest: str
    engine_digest: str
    hardware_digest: str
    layer: str
    test: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    reason: str
    level: int = 0


def history(database: Path, model: str, metric: str, hardware: str | None = None) -> list[Value]:
    """Return a metric over runs, the oldest first: ``SUITE.METRIC``, or ``bench.METRIC@TEST`` (``bench.METRIC``: every test).
    ``hardware``: only of this digest.
    """
    subject, _, rest = metric.partition(".")
    if subject == "bench":
        name, _, test = rest.partition("@")
        table, wanted, values = "bench_rows", "AND ($3 = '' OR test = $3 OR layer || ':' || test = $3)", [name, test]
        columns, named = "layer, test, metric, value, low, high, unit, reason", "metric"
    else:
        table, wanted, values = "metrics", "AND subject = $3", [rest, subject]
        columns, named = "'', '', name, value, low, high, unit, ''", "name"
    sql = (
        f"SELECT runs.id, model, subject, started, lock_digest, engine_digest, hardware_digest, {columns} FROM {table} "
        f"JOIN runs ON runs.id = {table}.run_id WHERE model = $1 AND {table}.{named} = $2 {wanted} "
        "AND ($4 IS NULL OR hardware_digest = $4) ORDER BY number, position"
    )
    with reading(database) as connection:
        rows = connection.execute(sql, [model, *values, hardware]).fetchall()
    found = [Value(*(*row[:3], row[3].replace(tzinfo=UTC), *row[4:])) for row in rows]
    return _levelled(found)


def metrics_on_record(database: Path, model: str) -> list[str]:
    """Return the metrics of a model as ``history`` takes them, those of benchmarks at each of their tests."""
    sql = (
        "SELECT subject || '.' || name FROM metrics JOIN runs ON runs.id = run_id WHERE model = $1 UNION "
        "SELECT 'bench.' || metric || '@' || test FROM bench_rows JOIN runs ON runs.id = run_id WHERE model = $1 ORDER BY 1"
    )
    with reading(database) as connection:
        return [str(name).removesuffix("@") for (name,) in connection.execute(sql, [model]).fetchall()]


def of_runs(database: Path, column: Literal["model", "hardware_digest"]) -> list[str]:
    """Return the models that there are runs of, or the classes of hardware, by digest."""
    with reading(database) as connection:
        rows = connection.execute(f"SELECT DISTINCT {column} FROM runs ORDER BY 1").fetchall()
    return [str(value) for (value,) in rows]


def _levelled(found: list[Value]) -> list[Value]:
    series: dict[tuple[str, str, str], list[int]] = {}
    for place, one in enumerate(found):
        if one.value is not None:
            series.setdefault((one.layer, one.test, one.hardware_digest), []).append(place)
    for places in series.values():
        for index in changes([found[place].value or 0.0 for place in places]):
            for place in places[index:]:
                found[place] = replace(found[place], level=found[place].level + 1)
    return found


def first_metrics(database: Path, run_ids: Sequence[str]) -> dict[str, tuple[str, Metric]]:
    """Return the suite and the first metric of each of these runs that is an eval, by the run's id."""
    sql = (
        "SELECT run_id, subject, name, value, unit, low, high, n FROM metrics JOIN runs ON runs.id = run_id "
        "WHERE position = 0 AND run_id IN (SELECT unnest(?))"
    )
    with reading(database) as connection:
        rows = connection.execute(sql, [list(run_ids)]).fetchall()
    return {run: (suite, Metric(*metric)) for run, suite, *metric in rows}


def bench_of(database: Path, run_ids: Sequence[str], metrics: Collection[str] = ()) -> dict[str, tuple[BenchRow, ...]]:
    """Return what each of these runs measured, by the run's id, without samples; details only of the machine's limits.
    ``metrics``: only these.
    """
    columns = "layer, test, metric, value, unit, reason, low, high, inconclusive"
    these = "run_id IN (SELECT unnest($1)) AND (len($2) = 0 OR metric IN (SELECT unnest($2)))"
    named = [list(run_ids), list(metrics)]
    with reading(database) as connection:
        rows = connection.execute(
            f"SELECT run_id, position, {columns} FROM bench_rows WHERE {these} ORDER BY run_id, position", named
        ).fetchall()
        # Apart: details are read for whole blocks of rows, and are nearly all of a row.
        details = connection.execute(
            f"SELECT run_id, position, detail FROM bench_rows WHERE layer = 'machine' AND {these}", named
        ).fetchall()
    about: dict[tuple[str, int], dict[str, Any]] = {(run, at): json.loads(detail) for run, at, detail in details}
    found: dict[str, list[BenchRow]] = {}
    for run, at, layer, test, metric, value, unit, reason, low, high, inconclusive in rows:
        detail = about.get((run, at), {})
        row = BenchRow(layer, test, metric, value, unit, (), reason, detail, low, high, bool(inconclusive))
        found.setdefault(run, []).append(row)
    return {run: tuple(each) for run, each in found.items()}


@dataclass(frozen=True)
class Newest:
    """The newest benchmark of a model on a class of hardware."""

    run: str
    model: str
    lock_digest: str
    engine_digest: str
    started: datetime


def machines(database: Path) -> list[tuple[str, dict[str, Any], list[Newest]]]:
    """Return every class of hardware on record: its digest, what it stands for, and the newest benchmark of each model."""
    sql = (
        "SELECT hardware_digest, id, model, lock_digest, engine_digest, started FROM runs WHERE stage = 'bench' "
        "QUALIFY row_number() OVER (PARTITION BY hardware_digest, model ORDER BY number DESC) = 1 ORDER BY model"
    )
    with reading(database) as connection:
        known = connection.execute("SELECT digest, content FROM hardware ORDER BY digest").fetchall()
        rows = connection.execute(sql).fetchall()
    newest: dict[str, list[Newest]] = {}
    for digest, id, model, lock, engine, started in rows:
        newest.setdefault(digest, []).append(Newest(id, model, lock, engine, started.replace(tzinfo=UTC)))
    return [(digest, json.loads(content), newest.get(digest, [])) for digest, content in known]
