"""Opening the database, and what interrupts it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.record.access import interruptible, reading, writing

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
