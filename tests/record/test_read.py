from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.gate.decide import decide
from pipeline.record import read
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()
KEY = (str(LOCK.digest), make.ENGINE, make.HARDWARE)


def test_a_missing_database_reads_empty_and_creates_nothing(tmp_path: Path) -> None:
    database = tmp_path / "below" / "results.duckdb"
    assert read.run_by_id(database, "x") is None
    assert read.find_run(database, make.sound_runs(LOCK)[0].key) is None
    assert read.runs_of(database, *KEY) == []
    assert read.decisions_of(database, *KEY) == []
    assert read.hardware(database, make.HARDWARE) == {}
    assert read.query(database, "SELECT * FROM runs JOIN findings ON id = run_id").empty
    with pytest.raises(UsageError):
        read.query(database, "CREATE TABLE mine (a INT)")
    assert list(tmp_path.iterdir()) == []


def test_runs_of_gives_the_newest_of_each_subject(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    runs = make.sound_runs(LOCK)
    again = replace(runs[1], id="again", seconds=9.0)
    elsewhere = replace(runs[2], id="elsewhere", key=replace(runs[2].key, hardware_digest="sha256:other"))
    other_suite = replace(runs[1], id="edited-suite", key=replace(runs[1].key, subject_digest="sha256:edited"))
    for run in (*runs, again, elsewhere, other_suite):
        Recorder(database).add(run)
    assert read.runs_of(database, *KEY) == [runs[0], *runs[2:], again, other_suite]
    assert read.find_run(database, runs[1].key) == again
    assert read.find_run(database, replace(runs[1].key, engine_digest="sha256:none")) is None


def test_decisions_read_back_newest_first(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    first = decide(LOCK, make.ENGINE, make.HARDWARE, make.broken_runs(LOCK), make.NOW, "d1")
    second = decide(LOCK, make.ENGINE, make.HARDWARE, make.sound_runs(LOCK), make.NOW, "d2")
    for decision in (first, second):
        Recorder(database).add_decision(decision)
    assert read.decisions_of(database, *KEY) == [second, first]


@pytest.mark.parametrize(
    "sql",
    [
        "SELEC 1",
        "SELECT nothing FROM runs",
        "DELETE FROM runs",
        "DROP TABLE runs",
        "ATTACH 'other.db'",
        "SELECT * FROM '/etc/passwd'",
        "",
    ],
)
def test_wrong_or_writing_sql_is_a_usage_error(tmp_path: Path, sql: str) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(make.sound_runs(LOCK)[0])
    with pytest.raises(UsageError, match="SQL"):
        read.query(database, sql)
    assert read.query(database, "SELECT count(*) AS n FROM runs").n[0] == 1


def test_query_cannot_write_files(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(make.sound_runs(LOCK)[0])
    with pytest.raises(UsageError, match="SQL"):
        read.query(database, f"COPY runs TO '{tmp_path}/out.csv'")
    assert not (tmp_path / "out.csv").exists()
    assert "runs" in set(read.query(database, "SHOW TABLES").name)
