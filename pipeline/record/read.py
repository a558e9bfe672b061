"""Reading results: named questions that answer with values, and SQL that answers with a DataFrame."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from pipeline.core.errors import UsageError
from pipeline.record.access import reading
from pipeline.record.model import Accepted, Decision, Run, RunKey
from pipeline.record.rows import READERS, to_decision, to_run

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
_NEWEST = "ORDER BY number DESC"
_THESE = "lock_digest = ? AND engine_digest = ? AND hardware_digest = ?"
_LARGE = {"outcomes", "eval_items", "bench_rows"}
_SUBJECT = "stage = ? AND subject = ? AND subject_digest = ?"


def find_run(database: Path, key: RunKey) -> Run | None:
    """Return the newest run with this key, or None."""
    values = (key.lock_digest, key.engine_digest, key.hardware_digest, key.stage, key.subject, key.subject_digest)
    return next(iter(_runs(database, f"WHERE {_THESE} AND {_SUBJECT} {_NEWEST} LIMIT 1", values)), None)


def runs_by_id(database: Path, ids: Sequence[str]) -> list[Run]:
    """Return the runs with these ids, in their order; what is not on record is left out."""
    found = {run.id: run for run in _runs(database, f"WHERE id IN ({', '.join('?' * len(ids))})", ids)} if ids else {}
    return [found[id] for id in ids if id in found]


def run_by_id(database: Path, id: str) -> Run | None:
    """Return the run with this id, or None."""
    return next(iter(_runs(database, "WHERE id = ?", (id,))), None)


def runs_of(database: Path, lock_digest: str, engine_digest: str, hardware_digest: str) -> list[Run]:
    """Return the newest run of each (stage, subject, subject digest), in the order they were recorded."""
    one = "row_number() OVER (PARTITION BY stage, subject, subject_digest ORDER BY number DESC) = 1"
    return _runs(
        database, f"WHERE {_THESE} QUALIFY {one} ORDER BY number", (lock_digest, engine_digest, hardware_digest)
    )


def decisions_of(database: Path, lock_digest: str, engine_digest: str, hardware_digest: str) -> list[Decision]:
    """Return the decisions, newest first."""
    with reading(database) as connection:
        sql = f"SELECT * FROM decisions WHERE {_THESE} {_NEWEST}"
        rows = connection.execute(sql, (lock_digest, engine_digest, hardware_digest)).fetchall()
    return [to_decision(row) for row in rows]


def baselines_of(database: Path, model: str, hardware_digest: str) -> list[Accepted]:
    """Return the baselines of a model on one class of hardware, newest first."""
    with reading(database) as connection:
        sql = f"SELECT * EXCLUDE (number) FROM baselines WHERE model = ? AND hardware_digest = ? {_NEWEST}"
        rows = connection.execute(sql, (model, hardware_digest)).fetchall()
    return [
        Accepted(name, lock, engine, machine, tuple(run_ids), owner, reason, accepted.replace(tzinfo=UTC))
        for name, lock, engine, machine, run_ids, owner, reason, accepted in rows
    ]


def newest_decisions(database: Path, hardware_digest: str) -> dict[str, list[Decision]]:
    """Return, for each model, the newest decision on each of its locks and engines on one class of hardware, newest first."""
    newest = "QUALIFY row_number() OVER (PARTITION BY model, lock_digest, engine_digest ORDER BY number DESC) = 1"
    with reading(database) as connection:
        sql = f"SELECT * FROM decisions WHERE hardware_digest = ? {newest} {_NEWEST}"
        rows = connection.execute(sql, (hardware_digest,)).fetchall()
    found: dict[str, list[Decision]] = {}
    for decision in map(to_decision, rows):
        found.setdefault(decision.model, []).append(decision)
    return found


def keys_by_id(database: Path, run_ids: Sequence[str]) -> dict[str, tuple[RunKey, str]]:
    """Return the key of each of these runs, and the version of Assay that made it; no rows are read."""
    columns = "id, lock_digest, engine_digest, hardware_digest, stage, subject, subject_digest, assay_version"
    with reading(database) as connection:
        sql = f"SELECT {columns} FROM runs WHERE id IN (SELECT unnest(?))"
        rows = connection.execute(sql, [list(run_ids)]).fetchall()
    return {id: (RunKey(*key), version) for id, *key, version in rows}


def hardware(database: Path, digest: str) -> dict[str, Any]:
    """Return what a hardware digest stands for; empty when nobody recorded it."""
    return _content(database, "SELECT content FROM hardware WHERE digest = ?", digest)


def engine(database: Path, digest: str) -> dict[str, Any]:
    """Return what an engine digest stands for; empty when nobody recorded it."""
    return _content(database, "SELECT content FROM engines WHERE digest = ?", digest)


def model(database: Path, lock_digest: str) -> dict[str, Any]:
    """Return the lock that a lock digest stands for; empty when nobody recorded it."""
    return _content(database, "SELECT content FROM models WHERE lock_digest = ?", lock_digest)


def locks_like(database: Path, beginning: str) -> list[str]:
    """Return the digests of the recorded locks that begin so, at most ten."""
    with reading(database) as connection:
        sql = "SELECT lock_digest FROM models WHERE starts_with(lock_digest, ?) ORDER BY lock_digest LIMIT 10"
        return [str(digest) for (digest,) in connection.execute(sql, (beginning,)).fetchall()]


def query(database: Path, sql: str) -> pd.DataFrame:
    """Answer SQL over the tables, reading alone. Raises UsageError with DuckDB's message when the SQL is wrong or
    would write."""
    frame: pd.DataFrame = _answered(database, sql, lambda answer: answer.df())
    return frame


def rows(database: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer SQL as ``query`` does, with names of columns, of which none comes twice, and Python's own values. Raises UsageError."""

    def take(answer: duckdb.DuckDBPyRelation) -> tuple[list[str], list[tuple[Any, ...]]]:
        names: list[str] = []
        for name in answer.columns:
            while name in names:
                name += "_1"
            names.append(name)
        # DuckDB has no Python value of a time with its zone unless pytz is there.
        zoned = ["WITH TIME ZONE" in str(kind) for kind in answer.types]
        columns = [f"#{number}{'::VARCHAR' * spelt}" for number, spelt in enumerate(zoned, 1)]
        return names, answer.project(", ".join(columns)).fetchall()

    return _answered(database, sql, take)


def _answered(database: Path, sql: str, take: Callable[[duckdb.DuckDBPyRelation], T]) -> T:
    with reading(database) as connection:
        # A database that isn't there is an empty one in memory; it takes no writes either.
        connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            answer = connection.sql(sql)
            if answer is None:
                raise UsageError(
                    "the SQL has no answer to show", hint="write a SELECT; the tables are listed by: SHOW TABLES"
                )
            return take(answer)
        except duckdb.Error as error:
            raise UsageError(f"SQL: {error}", hint="the tables are listed by: SHOW TABLES") from None


def _content(database: Path, sql: str, digest: str) -> dict[str, Any]:
    with reading(database) as connection:
        found = connection.execute(sql, (digest,)).fetchone()
    content: dict[str, Any] = json.loads(found[0]) if found else {}
    return content


def _runs(database: Path, condition: str, values: Sequence[str]) -> list[Run]:
    with reading(database) as connection:
        rows = connection.execute(f"SELECT * FROM runs {condition}", values).fetchall()
        found = {table: _values(connection, table, [row[0] for row in rows]) for table in READERS if rows}
    return [to_run(row, {table: tuple(found[table].get(row[0], ())) for table in READERS}) for row in rows]


def _values(connection: duckdb.DuckDBPyConnection, table: str, runs: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of a table by run. Asked for one run at a time where rows are large: of these DuckDB then reads no
    others.
    """
    found: dict[str, list[Any]] = {}
    for ids in [[id] for id in runs] if table in _LARGE else [runs]:
        these = ", ".join("?" * len(ids))
        sql = f"SELECT * EXCLUDE (position) FROM {table} WHERE run_id IN ({these}) ORDER BY position"
        for id, *row in connection.execute(sql, ids).fetchall():
            found.setdefault(id, []).append(READERS[table](*row))
    return found
