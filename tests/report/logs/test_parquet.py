from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.evals.model import EvalResult, Item
from pipeline.record.model import StageResult
from pipeline.report.logs import parquet
from pipeline.report.logs._base import Logged
from tests import factories as make

LOCK = make.lock()


def ask(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(":memory:") as connection:
        return connection.execute(f"SELECT {sql}", {"file": str(path)}).fetchall()


def test_every_item_is_a_row_that_sql_can_ask(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    parquet.write([Logged(run, LOCK) for run in make.sound_runs(LOCK) if run.key.stage in ("check", "eval")], path)
    assert ask(path, "suite, count(*), avg(score) FROM read_parquet($file) GROUP BY suite ORDER BY suite") == [
        ("tiny-choice", 54, pytest.approx(42 / 54)),
        ("tiny-perplexity", 2, pytest.approx(1.055)),
        ("tiny-stop", 3, 1.0),
        ("tiny-tools", 2, 1.0),
    ]
    columns = "lock_digest, verdict, answer, started, unstable, detail"
    (row,) = ask(path, f"{columns} FROM read_parquet($file) WHERE item = 'q003'")
    assert row[:3] == (str(LOCK.digest), "right", "5")
    assert row[3].isoformat() == "2026-03-14T09:26:58.589793"
    assert row[4] is None
    assert json.loads(row[5])["picked"] == 0
    assert sorted(tmp_path.iterdir()) == [path]


def test_many_items_go_in_batches_and_broken_text_is_kept_readable(tmp_path: Path) -> None:
    items = tuple(Item(f"i{i}", i % 2, {"prompt": "\ud800 half a character", "unstable": True}) for i in range(1203))
    run = make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=EvalResult("tiny-choice", "k", (), items)))
    path = tmp_path / "x.parquet"
    parquet.write([Logged(run, LOCK)], path)
    assert ask(path, "count(*), sum(score), bool_and(unstable) FROM read_parquet($file)") == [(1203, 601.0, True)]
    found = ask(path, "item, prompt FROM read_parquet($file) LIMIT 3")
    assert [item for item, _ in found] == ["i0", "i1", "i2"]
    assert found[0][1] == "? half a character"


def test_nothing_is_left_where_it_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").mkdir()
    with pytest.raises(OSError):
        parquet.write([Logged(make.sound_runs(LOCK)[1], LOCK)], tmp_path / "x.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
