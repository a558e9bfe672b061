from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipeline.core.errors import UsageError
from pipeline.record import read, schema
from pipeline.record.rows import result_rows, run_row
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()


def test_all_tables_are_there(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(make.sound_runs(LOCK)[0])
    tables = {
        "runs",
        "models",
        "hardware",
        "engines",
        "findings",
        "outcomes",
        "eval_items",
        "metrics",
        "bench_rows",
        "decisions",
        "deployments",
        "not_judged",
        "causes",
        "baselines",
    }
    assert set(read.query(database, "SHOW TABLES").name) == tables | {"migrations"}


def test_a_database_newer_than_the_tool_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(make.sound_runs(LOCK)[0])
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'm099_tomorrow')")
    before = database.read_bytes()
    with pytest.raises(UsageError, match="schema 99"):
        read.runs_of(database, "a", "b", "c")
    with pytest.raises(UsageError, match="schema 99"):
        Recorder(database).hardware("d", {})
    assert database.read_bytes() == before


def test_a_new_migration_is_applied_to_an_old_database_by_a_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "results.duckdb"
    run = make.sound_runs(LOCK)[0]
    Recorder(database).add(run)

    def m099_notes(connection: schema.Connection) -> None:
        connection.execute("CREATE TABLE notes (run_id VARCHAR)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, m099_notes))
    assert read.query(database, "SELECT * FROM notes").empty
    assert read.run_by_id(database, run.id) == run
    assert list(read.query(database, "SELECT name FROM migrations ORDER BY number").name) == [
        *(migration.__name__ for migration in schema.MIGRATIONS),
    ]


def test_a_migration_that_fails_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(make.sound_runs(LOCK)[0])

    def m099_broken(connection: schema.Connection) -> None:
        connection.execute("CREATE TABLE half (a INTEGER)")
        raise RuntimeError("stop")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, m099_broken))
        with pytest.raises(RuntimeError, match="stop"):
            Recorder(database).hardware("d", {})
    assert "half" not in set(read.query(database, "SHOW TABLES").name)


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    database.write_bytes(b"not a database, and longer than any header" * 1000)
    with pytest.raises(UsageError, match=r"results\.duckdb") as caught:
        read.runs_of(database, "a", "b", "c")
    assert "move it away" in caught.value.hint


def test_outcomes_from_before_grades_get_the_one_that_their_diagnosis_names(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
        for number, migration in enumerate(schema.MIGRATIONS[:2], start=1):
            migration(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, migration.__name__])
        for place, words in enumerate(("no_call: no tool was called", "It: rains")):
            connection.execute(
                f"INSERT INTO outcomes VALUES ('r', {place}, 's', 'g', 'c', 'fail', '{words}', '{{}}', '{{}}', 0)"
            )
    rows = read.query(database, "SELECT grade, attempt, sampled FROM outcomes ORDER BY position")
    assert rows.values.tolist() == [["no_call", 1, False], ["", 1, False]]


def test_what_was_asked_and_answered_is_kept_compressed(tmp_path: Path) -> None:
    database, run = tmp_path / "results.duckdb", make.sound_runs(LOCK)[1]
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
        for number, migration in enumerate(schema.MIGRATIONS[:5], start=1):
            migration(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, migration.__name__])
        described = connection.execute("DESCRIBE outcomes").fetchall()
        for table, rows in result_rows(run).items():
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        row = run_row(run, 1)
        connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("INSERT INTO eval_items SELECT 'x', n, 'i', 1, '{}' FROM range(5000) AS t (n)")
    assert run.result.outcomes and read.run_by_id(database, run.id) == run
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("DESCRIBE outcomes").fetchall() == described
        how = "SELECT DISTINCT compression FROM pragma_storage_info('eval_items') WHERE column_name = 'detail' "
        assert connection.execute(f"{how} AND segment_type = 'JSON'").fetchall() == [("ZSTD",)]
