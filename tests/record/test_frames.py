from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.bench.model import BenchRow
from pipeline.core.errors import UsageError
from pipeline.record import Record
from pipeline.record.model import StageResult
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "specs").mkdir()
    database = tmp_path / ".assay" / "results.duckdb"
    for run in make.sound_runs(LOCK):
        Recorder(database).add(run)
    return Record.of(tmp_path)


def add_speeds(record: Record, speeds: list[float | None], hardware: str = make.HARDWARE) -> None:
    for number, speed in enumerate(speeds):
        rows = (BenchRow("engine", "tg32", "decode_tok_s", speed, "tok/s", reason="" if speed else "noisy"),)
        run = make.run(LOCK, "bench", "bench", StageResult(bench=rows))
        key = replace(run.key, hardware_digest=hardware)
        started = run.started + timedelta(days=number)
        Recorder(record.database).add(replace(run, id=f"{hardware[-4:]}-{number}", key=key, started=started))


def test_every_table_answers_with_rows_that_name_their_run_and_digests(record: Record) -> None:
    frames = [record.metrics(), record.items(), record.outcomes(), record.findings(), record.bench()]
    for frame in frames:
        assert len(frame) > 0
        assert {"run", "model", "suite", "started", "lock_digest", "hardware_digest"} <= set(frame.columns)
        assert str(frame["started"].dt.tz) == "UTC"
    assert list(record.runs()["stage"]) == ["lint", "check", "check", "eval", "eval", "bench"]
    assert set(record.metrics("tiny-chat", "tiny-choice")["suite"]) == {"tiny-choice"}
    assert record.metrics("another").empty
    assert record.decisions().empty


def test_history_follows_one_metric_and_counts_its_levels(record: Record) -> None:
    add_speeds(record, [100.0 + i % 3 for i in range(12)] + [None] + [80.0 + i % 3 for i in range(12)])
    add_speeds(record, [500.0, 501.0], "sha256:another")
    found = record.history("tiny-chat", "bench.decode_tok_s@tg32", make.HARDWARE)
    measured = found[found["value"].notna()]
    assert len(found) == 26 and set(found["test"]) == {"tg32"}
    assert measured["level"].iloc[-1] == measured["level"].max()
    assert set(measured[measured["value"].between(80, 83)]["level"]) == {measured["level"].max()}
    assert len(set(measured[measured["value"].between(99, 103)]["level"])) == 1
    assert list(record.history("tiny-chat", "bench.decode_tok_s", "sha256:another")["value"]) == [500.0, 501.0]
    accuracy = record.history("tiny-chat", "tiny-choice.accuracy")
    assert len(accuracy) == 1 and accuracy["level"].tolist() == [0]
    assert record.history("tiny-chat", "tiny-choice.nothing").empty


def test_sql_reads_and_does_not_write(record: Record) -> None:
    assert record.sql("SELECT count(*) AS n FROM runs")["n"].tolist() == [6]
    with pytest.raises(UsageError):
        record.sql("DELETE FROM runs")


def test_the_record_is_imported_only_when_it_is_asked_for() -> None:
    code = "import sys, pipeline.record.model; sys.exit('duckdb' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError):
        import pipeline.record

        pipeline.record.Nothing  # noqa: B018
