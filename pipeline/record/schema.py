"""The database's shape as numbered migrations that only go forward.

Migration ``n`` is the ``n``-th function of ``MIGRATIONS``; what has been applied stands in the table ``migrations``.
A released migration is never edited: a change is a new function at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import duckdb

from pipeline.core.errors import UsageError


class Connection(Protocol):
    """The part of a DuckDB connection that a migration uses."""

    def execute(self, query: str, parameters: Any = ..., /) -> Any:
        """Run one or more statements."""


def m001_results(connection: Connection) -> None:
    """Runs with their rows, what they were made of, and decisions."""
    connection.execute(
        """
        CREATE TABLE models (lock_digest VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, content JSON NOT NULL);
        CREATE TABLE hardware (digest VARCHAR PRIMARY KEY, content JSON NOT NULL);
        CREATE TABLE engines (digest VARCHAR PRIMARY KEY, content JSON NOT NULL);
        CREATE TABLE runs (
            id VARCHAR PRIMARY KEY, number BIGINT NOT NULL, model VARCHAR NOT NULL,
            lock_digest VARCHAR NOT NULL, engine_digest VARCHAR NOT NULL, hardware_digest VARCHAR NOT NULL,
            stage VARCHAR NOT NULL, subject VARCHAR NOT NULL, subject_digest VARCHAR NOT NULL,
            started TIMESTAMP NOT NULL, seconds DOUBLE NOT NULL, assay_version VARCHAR NOT NULL,
            argv VARCHAR[] NOT NULL, seed BIGINT, outputs_digest VARCHAR NOT NULL,
            eval_suite VARCHAR, eval_kind VARCHAR);
        CREATE TABLE findings (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, code VARCHAR NOT NULL, severity VARCHAR NOT NULL,
            message VARCHAR NOT NULL, place VARCHAR NOT NULL, evidence VARCHAR NOT NULL, fix VARCHAR NOT NULL);
        CREATE TABLE outcomes (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, suite VARCHAR NOT NULL, group_name VARCHAR NOT NULL,
            case_name VARCHAR NOT NULL, verdict VARCHAR NOT NULL, diagnosis VARCHAR NOT NULL, request JSON NOT NULL,
            response JSON NOT NULL, seconds DOUBLE NOT NULL);
        CREATE TABLE metrics (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, name VARCHAR NOT NULL, value DOUBLE NOT NULL,
            unit VARCHAR NOT NULL, low DOUBLE, high DOUBLE, n BIGINT NOT NULL);
        CREATE TABLE eval_items (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, item VARCHAR NOT NULL, score DOUBLE NOT NULL,
            detail JSON NOT NULL);
        CREATE TABLE bench_rows (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, layer VARCHAR NOT NULL, test VARCHAR NOT NULL,
            metric VARCHAR NOT NULL, value DOUBLE, unit VARCHAR NOT NULL, samples DOUBLE[] NOT NULL,
            reason VARCHAR NOT NULL, detail JSON NOT NULL);
        CREATE TABLE decisions (
            id VARCHAR PRIMARY KEY, number BIGINT NOT NULL, model VARCHAR NOT NULL, lock_digest VARCHAR NOT NULL,
            engine_digest VARCHAR NOT NULL, hardware_digest VARCHAR NOT NULL, accepted BOOLEAN NOT NULL,
            decided TIMESTAMP NOT NULL, reasons JSON NOT NULL, run_ids VARCHAR[] NOT NULL, gates JSON NOT NULL);
        CREATE TABLE deployments (
            id VARCHAR PRIMARY KEY, number BIGINT NOT NULL, model VARCHAR NOT NULL, lock_digest VARCHAR NOT NULL,
            engine_digest VARCHAR NOT NULL, hardware_digest VARCHAR NOT NULL, decision_id VARCHAR,
            target VARCHAR NOT NULL, deployed TIMESTAMP NOT NULL, content JSON NOT NULL);
        """
    )


def m002_not_judged(connection: Connection) -> None:
    """Lint rules that could not judge, with the reason."""
    connection.execute(
        """
        CREATE TABLE not_judged (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, code VARCHAR NOT NULL, reason VARCHAR NOT NULL);
        """
    )


def m003_grades(connection: Connection) -> None:
    """Outcomes with their grade and attempt, and the likely causes of a suite's faults."""
    connection.execute(
        """
        ALTER TABLE outcomes ADD COLUMN grade VARCHAR DEFAULT '';
        ALTER TABLE outcomes ADD COLUMN attempt INTEGER DEFAULT 1;
        ALTER TABLE outcomes ADD COLUMN sampled BOOLEAN DEFAULT false;
        UPDATE outcomes SET grade = regexp_extract(diagnosis, '^([a-z_]+):', 1);
        CREATE TABLE causes (
            run_id VARCHAR NOT NULL, position INTEGER NOT NULL, cause VARCHAR NOT NULL, words VARCHAR NOT NULL,
            known VARCHAR NOT NULL, advice VARCHAR NOT NULL, cases VARCHAR[] NOT NULL);
        """
    )


def m004_bench_intervals(connection: Connection) -> None:
    """Benchmark rows with their interval, and whether too little of what was measured counts."""
    connection.execute(
        """
        ALTER TABLE bench_rows ADD COLUMN low DOUBLE;
        ALTER TABLE bench_rows ADD COLUMN high DOUBLE;
        ALTER TABLE bench_rows ADD COLUMN inconclusive BOOLEAN DEFAULT false;
        """
    )


def m005_baselines(connection: Connection) -> None:
    """Baselines: results that were accepted, to compare later ones with."""
    connection.execute(
        """
        CREATE TABLE baselines (
            number BIGINT PRIMARY KEY, model VARCHAR NOT NULL, lock_digest VARCHAR NOT NULL,
            engine_digest VARCHAR NOT NULL, hardware_digest VARCHAR NOT NULL, run_ids VARCHAR[] NOT NULL,
            owner VARCHAR NOT NULL, reason VARCHAR NOT NULL, accepted TIMESTAMP NOT NULL);
        """
    )


def m006_compressed(connection: Connection) -> None:
    """What was asked, answered and observed, compressed: it is nearly all of a record, and much of it repeats."""
    texts = {"outcomes": ("request", "response"), "eval_items": ("detail",), "bench_rows": ("detail",)}
    for table, compressed in texts.items():
        known = "column_name, data_type, is_nullable, column_default FROM duckdb_columns()"
        where = f"database_name = current_database() AND table_name = '{table}'"
        columns = []
        for name, kind, nullable, default in connection.execute(
            f"SELECT {known} WHERE {where} ORDER BY column_index"
        ).fetchall():
            rules = [f'"{name}" {kind}', "USING COMPRESSION zstd" if name in compressed else ""]
            columns.append(" ".join([*rules, "" if nullable else "NOT NULL", f"DEFAULT {default}" if default else ""]))
        connection.execute(f"CREATE TABLE anew ({', '.join(columns)})")
        connection.execute(f"INSERT INTO anew SELECT * FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE anew RENAME TO {table}")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    m001_results,
    m002_not_judged,
    m003_grades,
    m004_bench_intervals,
    m005_baselines,
    m006_compressed,
)


def applied(connection: Connection) -> int:
    """Return how many migrations the database has had. Raises UsageError when it knows more than this version does."""
    try:  # what DuckDB says of its tables would take as long as opening a large database
        count = int(connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()[0])
    except duckdb.CatalogException:
        count = 0
    if count > len(MIGRATIONS):
        raise UsageError(
            f"the results database has schema {count}; this version of assay knows schemas up to {len(MIGRATIONS)}",
            hint="upgrade assay, or name another project folder; nothing was changed",
        )
    return count


def replay(connection: Connection, count: int) -> None:
    """Bring an empty database to the schema that it had after so many migrations."""
    connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    for number, migration in enumerate(MIGRATIONS[:count], start=1):
        migration(connection)
        connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, migration.__name__])


def migrate(connection: Connection) -> None:
    """Bring the database to the newest schema, each migration in its own transaction. Raises UsageError as
    ``applied`` does."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    for number, migration in enumerate(MIGRATIONS[applied(connection) :], start=applied(connection) + 1):
        connection.execute("BEGIN")
        try:
            migration(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, migration.__name__])
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
