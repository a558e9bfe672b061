"""Carrying a record from machine to machine: written as Parquet, or taken from another database, each run once.

Runs, decisions and the like have ids, so that the same ones may be merged in any order and any number of times: nothing
is there twice, and nothing is lost. What an id stands for never changes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.files import atomic_write
from pipeline.core.scratch import scratch
from pipeline.record import schema
from pipeline.record.access import MEMORY, alone, first_line, interruptible, opened, reading, writing

CONTENTS = "record.json"
# Rows that DuckDB gathers before it writes them. Of its usual 122,880 a few would fill the memory it may take: answers are long.
_ROWS = 16_384
# By what a row is known; rows of other tables belong to a run.
KEYS = {
    "runs": ("id",),
    "models": ("lock_digest",),
    "hardware": ("digest",),
    "engines": ("digest",),
    "decisions": ("id",),
    "deployments": ("id",),
    "baselines": ("model", "hardware_digest", "accepted"),
}


@dataclass(frozen=True)
class Merged:
    """What came of one source: rows added by table, and runs that were there already."""

    source: str
    added: dict[str, int]
    known: int


def write_record(database: Path, folder: Path) -> dict[str, int]:
    """Write all tables to ``folder`` as Parquet, with a list of contents and their digests; returns rows by table. Raises
    UsageError when the folder holds other files.
    """
    if folder.exists() and any(path.name != CONTENTS and path.suffix != ".parquet" for path in folder.iterdir()):
        raise UsageError(f"{folder} holds other files", hint="name a folder of its own")
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    with reading(database):  # brings an older one up to date
        pass
    with alone(database), _attached(database) as connection:
        for table in _tables(connection):
            (folder / f"{table}.parquet").unlink(missing_ok=True)
            connection.execute(
                f"COPY (SELECT * FROM record.{table}) TO {_quoted(folder / f'{table}.parquet')} (FORMAT parquet, COMPRESSION zstd)"
            )
            counts[table] = _count(connection, f"record.{table}")
    digests = {f"{table}.parquet": str(Digest.of_file(folder / f"{table}.parquet")) for table in counts}
    contents = {"schema": "assay.record/1", "migrations": len(schema.MIGRATIONS), "files": digests, "rows": counts}
    atomic_write(folder / CONTENTS, json.dumps(contents, indent=2, sort_keys=True) + "\n")
    return counts


def merge(database: Path, source: Path) -> Merged:
    """Add what ``source`` has and ``database`` has not: a folder of ``write_record``, or another results database. All of
    it, or nothing. Raises UsageError for what is neither or is newer than this version, DigestMismatch when a file of the
    folder is not what its list says.
    """
    with scratch() as folder:
        copy = folder / "source.duckdb"
        if source.is_dir():
            if (migrations := _contents(source)) < len(schema.MIGRATIONS):
                _load(source, copy, migrations)
        elif source.is_file():
            with alone(source):
                for ending in ("", ".wal"):
                    if (part := source.with_name(source.name + ending)).is_file():
                        shutil.copyfile(part, copy.with_name(copy.name + ending))
        else:
            raise UsageError(
                f"no such file or folder: {source}", hint="name a folder of assay record export, or a results.duckdb"
            )
        if copy.exists():
            with reading(copy):  # brings an older one up to date
                pass
        with writing(database):
            pass
        with alone(database), _attached(database, read_only=False) as connection:
            if copy.exists():
                connection.execute(f"ATTACH {_quoted(copy)} AS source (READ_ONLY)")
            else:  # as the files are: to write them twice would take twice as long
                connection.execute("ATTACH ':memory:' AS source")
                for table in _tables(connection):
                    file = _quoted(source / f"{table}.parquet")
                    connection.execute(f"CREATE VIEW source.{table} AS SELECT * FROM read_parquet({file})")
            try:
                return _add(connection, str(source))
            except duckdb.Error as error:
                said = first_line(error)
                raise UsageError(f"{source} does not hold what a record does: {said}") from None


def _add(connection: duckdb.DuckDBPyConnection, source: str) -> Merged:
    known = "SELECT id FROM record.runs"
    before = _count(connection, f"(SELECT id FROM source.runs WHERE id IN ({known}))")
    added: dict[str, int] = {}
    connection.execute("BEGIN")
    try:
        connection.execute(f"CREATE TEMP TABLE fresh AS SELECT id FROM source.runs WHERE id NOT IN ({known})")
        for table in _tables(connection):
            columns = [
                row[0] for row in connection.execute(f"SELECT column_name FROM (DESCRIBE record.{table})").fetchall()
            ]
            start = _count(connection, f"record.{table}")
            connection.execute(f"INSERT INTO record.{table} BY NAME {_fresh(connection, table, columns)}")
            added[table] = _count(connection, f"record.{table}") - start
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return Merged(source, {table: count for table, count in added.items() if count}, before)


def _fresh(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> str:
    """Return the SQL of a table's rows that are not there yet; their numbers go on where ours end."""
    if "run_id" in columns:
        return f"SELECT * FROM source.{table} WHERE run_id IN (SELECT id FROM fresh)"
    keys = KEYS[table]
    same = " AND ".join(f"ours.{key} = theirs.{key}" for key in keys)
    rows = (
        f"SELECT theirs.* FROM source.{table} theirs WHERE NOT EXISTS (SELECT 1 FROM record.{table} ours WHERE {same})"
    )
    if "number" not in columns:
        return rows
    (last,) = connection.execute(f"SELECT coalesce(max(number), 0) FROM record.{table}").fetchone() or (0,)
    return f"SELECT * REPLACE (({last} + row_number() OVER (ORDER BY number)) AS number) FROM ({rows})"


def _contents(folder: Path) -> int:
    """Return how many migrations a folder's tables have had. Raises DigestMismatch when a file is not what the list says."""
    try:
        contents = json.loads((folder / CONTENTS).read_bytes())
        files, migrations = dict(contents["files"]), int(contents["migrations"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder} is no folder of assay record export: {CONTENTS} is missing or broken") from None
    if migrations > len(schema.MIGRATIONS):
        said = f"{folder} has schema {migrations}; this version of assay knows schemas up to {len(schema.MIGRATIONS)}"
        raise UsageError(said, hint="upgrade assay; nothing was changed")
    with opened(":memory:", {}) as connection:
        schema.replay(connection, migrations)
        names = [f"{table}.parquet" for table in _tables(connection, "memory")]
    for path in (folder / name for name in names):
        if not path.is_file() or str(Digest.of_file(path)) != files.get(path.name):
            raise DigestMismatch(
                f"{path} is not what {CONTENTS} says", hint="export it again, and copy the whole folder"
            )
    return migrations


def _load(folder: Path, copy: Path, migrations: int) -> None:
    """Make a database of an older folder; tables and columns that it lacks are as before their migration."""
    with opened(str(copy), {"memory_limit": MEMORY}) as connection:
        schema.replay(connection, migrations)
        for table in _tables(connection, copy.stem):
            path = folder / f"{table}.parquet"
            try:
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet({_quoted(path)})")
            except duckdb.Error as error:
                said = first_line(error)
                raise UsageError(f"{path} does not hold the table {table}: {said}") from None


@contextmanager
def _attached(database: Path, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection of its own that has the database as ``record`` and may read and write other files."""
    with interruptible(), opened(":memory:", {"memory_limit": MEMORY}) as connection:
        if database.exists():
            how = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {_ROWS}"
            connection.execute(f"ATTACH {_quoted(database)} AS record ({how})")
        else:
            connection.execute("ATTACH ':memory:' AS record")
            connection.execute("USE record")
            schema.migrate(connection)
            connection.execute("USE memory")
        yield connection


def _tables(connection: duckdb.DuckDBPyConnection, database: str = "record") -> list[str]:
    sql = "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND table_name != 'migrations' ORDER BY 1"
    return [row[0] for row in connection.execute(sql, [database]).fetchall()]


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {what}").fetchone() or (0,)
    return int(count)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
