"""Parquet: a row for each item, written by DuckDB, for pandas, Polars, Spark or DuckDB itself; ``detail`` is JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import duckdb

from pipeline.core.canonical import plain
from pipeline.record.access import opened
from pipeline.report.logs._base import Logged, columns, rows

SUFFIX = "parquet"
_TABLE = """
CREATE TABLE items (
    run VARCHAR, model VARCHAR, stage VARCHAR, suite VARCHAR, kind VARCHAR, lock_digest VARCHAR, engine_digest VARCHAR,
    hardware_digest VARCHAR, suite_digest VARCHAR, started TIMESTAMP, item VARCHAR, score DOUBLE, verdict VARCHAR,
    prompt VARCHAR, answer VARCHAR, unstable BOOLEAN, detail VARCHAR)
"""
_AT_ONCE = 500


def write(logs: Sequence[Logged], path: Path) -> None:
    """Write one file, compressed with Zstandard, whole or not at all. Times are UTC."""
    temporary = path.with_name(f".{path.name}.new")
    with opened(":memory:", {}) as connection:
        connection.execute(_TABLE)
        waiting: list[object] = []
        for logged in logs:
            shared = columns(logged)
            shared["started"] = logged.run.started.astimezone(UTC).replace(tzinfo=None)
            for row in rows(logged.run):
                detail = json.dumps(plain(row.detail), allow_nan=False)
                waiting += [*shared.values(), row.item, row.score, row.verdict, *map(_text, (row.prompt, row.answer))]
                waiting += [row.detail.get("unstable"), detail]
                if len(waiting) >= _AT_ONCE * 17:
                    _insert(connection, waiting)
        _insert(connection, waiting)
        try:
            connection.table("items").write_parquet(str(temporary), compression="zstd")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _insert(connection: duckdb.DuckDBPyConnection, waiting: list[object]) -> None:
    if waiting:
        one = f"({', '.join('?' * 17)})"
        connection.execute(f"INSERT INTO items VALUES {', '.join([one] * (len(waiting) // 17))}", waiting)
        waiting.clear()


def _text(value: str) -> str:
    """Return text without lone surrogates, which Parquet can't hold."""
    return value.encode("utf-8", "replace").decode()
