from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.gate.decide import decide
from pipeline.record.history import bench_of, first_metrics, history, machines, metrics_on_record, of_runs
from pipeline.record.read import keys_by_id, newest_decisions
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()
RUNS = make.sound_runs(LOCK)


def recorded(folder: Path) -> Path:
    database = folder / "results.duckdb"
    for run in RUNS:
        Recorder(database).add(run)
    return database


def test_numbers_of_many_runs_are_answered_at_once(tmp_path: Path) -> None:
    database, ids = recorded(tmp_path), [run.id for run in RUNS]
    found = first_metrics(database, ids)
    assert {suite for suite, _ in found.values()} == {"tiny-perplexity", "tiny-choice"}
    for run in RUNS:
        if run.result.evaluation:
            assert found[run.id] == (run.key.subject, run.result.evaluation.metrics[0])
    ((id, rows),) = bench_of(database, ids).items()
    assert id == RUNS[-1].id and [row.value for row in rows] == [row.value for row in RUNS[-1].result.bench]
    assert first_metrics(database, []) == {}
    assert bench_of(database, ["x"]) == {}


def test_the_newest_of_each_is_found(tmp_path: Path) -> None:
    database = recorded(tmp_path)
    again = replace(RUNS[-1], id="again")
    Recorder(database).add(again)
    Recorder(database).hardware(make.HARDWARE, make.HARDWARE_CONTENT)
    ((digest, content, newest),) = machines(database)
    assert (digest, content, [one.run for one in newest]) == (make.HARDWARE, make.HARDWARE_CONTENT, ["again"])
    first = decide(LOCK, make.ENGINE, make.HARDWARE, make.broken_runs(LOCK), make.NOW, "d1")
    second = decide(LOCK, make.ENGINE, make.HARDWARE, RUNS, make.NOW, "d2")
    for decision in (first, second, replace(first, id="d3", engine_digest="sha256:other")):
        Recorder(database).add_decision(decision)
    assert [one.id for one in newest_decisions(database, make.HARDWARE)["tiny-chat"]] == ["d3", "d2"]
    assert newest_decisions(database, "sha256:other") == {}
    keys = keys_by_id(database, [*second.run_ids, "nothing"])
    assert keys == {run.id: (run.key, run.assay_version) for run in RUNS if run.id in second.run_ids}


def test_a_metric_without_runs_has_no_history(tmp_path: Path) -> None:
    database = recorded(tmp_path)
    assert history(database, "tiny-chat", "tiny-choice.nothing") == history(tmp_path / "none", "a", "b.c") == []
    (one,) = history(database, "tiny-chat", "bench.decode_tok_s@engine:tg32")
    assert (one.value, one.unit, one.level, one.started) == (812.6, "tok/s", 0, RUNS[-1].started)


def test_metrics_are_named_as_history_takes_them(tmp_path: Path) -> None:
    database = recorded(tmp_path)
    names = metrics_on_record(database, "tiny-chat")
    assert {"tiny-choice.accuracy", "bench.decode_tok_s@tg32"} <= set(names)
    assert all(history(database, "tiny-chat", name) for name in names)
    assert metrics_on_record(database, "other") == metrics_on_record(tmp_path / "none", "tiny-chat") == []
    assert (of_runs(database, "model"), of_runs(database, "hardware_digest")) == (["tiny-chat"], [make.HARDWARE])
