"""Opening the database, and what interrupts it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.record import access, read
from pipeline.record.access import interruptible, reading, writing
from pipeline.record.write import Recorder
from tests import factories as make

SLOW = "SELECT sum(a.range * b.range) FROM range(40000) a, range(40000) b"


@pytest.mark.parametrize("how", [writing, reading])
def test_an_interrupted_query_is_an_interruption(tmp_path: Path, how: object) -> None:
    """As a signal's handler interrupts it: exit code 130, and no bug."""
    database = tmp_path / "results.duckdb"
    with writing(database):
        pass
    with pytest.raises(KeyboardInterrupt), (writing if how is writing else reading)(database) as connection:
        timer = threading.Timer(0.1, connection.interrupt)
        timer.start()
        try:
            connection.execute(SLOW).fetchall()
        finally:
            timer.join()


def test_what_duckdb_says_where_a_handler_raised_is_one_too() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="something else"), interruptible():
        raise RuntimeError("something else")


def test_a_slow_query_draws_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with reading(tmp_path / "none.duckdb") as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)
        connection.execute("SELECT sum(range) FROM range(1000000)").fetchall()
    assert capfd.readouterr() == ("", "")


def test_a_database_that_is_kept_is_opened_once_and_shows_what_was_written_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, run = tmp_path / "results.duckdb", make.sound_runs(make.lock())[0]
    opened, connect = list[str](), access.opened

    def counted(name: str, config: dict[str, Any], *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        opened.append(name)
        return connect(name, config, read_only=read_only)

    monkeypatch.setattr(access, "opened", counted)
    with access.keeping(database):
        assert read.run_by_id(database, run.id) is None, "there is no database yet"
        Recorder(database).add(run)
        opened.clear()
        assert [read.run_by_id(database, run.id) for _ in range(3)] == [run] * 3
        assert read.query(database, "SELECT 1 AS one").one.tolist() == [1]
        assert len(opened) == 1
        with access.keeping(database):
            Recorder(database).hardware("d", {"a": 1})
        assert read.hardware(database, "d") == {"a": 1}
        assert len(opened) == 3
    with access.alone(database):  # nobody has it open any more
        duckdb.connect(str(database)).close()


def test_what_a_killed_writer_left_is_taken_in_by_the_first_reader(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).hardware("a", {})
    script = (
        "import duckdb, os, sys; connection = duckdb.connect(sys.argv[1]); "
        "connection.execute(\"INSERT INTO hardware VALUES ('b', '{}')\"); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(database)], check=False).returncode == 9
    assert Path(f"{database}.wal").exists()
    assert read.query(database, "SELECT digest FROM hardware ORDER BY 1").digest.tolist() == ["a", "b"]
    assert not Path(f"{database}.wal").exists()


FULL = """
import resource, sys
from pathlib import Path
from pipeline.core.errors import UsageError
from pipeline.record.access import reading, writing
database = Path(sys.argv[1])
with writing(database) as connection:
    connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
most = database.stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
try:
    with writing(database) as connection:
        connection.execute("CREATE TABLE big AS SELECT random() AS r, hash(i)::VARCHAR AS h FROM range(200000) t(i)")
except UsageError as error:
    print(error.message, error.hint)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with reading(database) as connection:
    print(connection.execute("SELECT number FROM kept").fetchall())
"""


def test_a_disk_that_takes_no_more_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "results.duckdb")], capture_output=True, text=True, check=True
    )
    said, kept = done.stdout.splitlines()
    assert "results.duckdb can't be written" in said and "is the disk full?" in said and kept == "[(7,)]"
