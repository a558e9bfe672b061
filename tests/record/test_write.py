from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.record import read
from pipeline.record.model import Run, StageResult
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("run", make.sound_runs(LOCK) + make.broken_runs(LOCK)[:1], ids=lambda run: run.id)
def test_a_run_reads_back_equal(tmp_path: Path, run: Run) -> None:
    database = tmp_path / "results.duckdb"
    Recorder(database).add(run)
    assert read.run_by_id(database, run.id) == run
    assert read.find_run(database, run.key) == run


def test_times_keep_their_instant_and_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    run = make.run(LOCK, "lint", "lint", StageResult())
    abroad = replace(run, started=run.started.astimezone(timezone(timedelta(hours=9))))
    Recorder(database).add(abroad)
    assert read.run_by_id(database, run.id) == abroad == run
    with pytest.raises(ValueError, match="zone"):
        Recorder(database).add(replace(run, id="other", started=datetime(2026, 1, 1)))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=3),
    words=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_text_and_json_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object], words: str
) -> None:
    database = tmp_path_factory.mktemp("any") / "results.duckdb"
    outcome = Outcome(
        "suite",
        "group",
        "case\0'\"; DROP TABLE runs; --",
        Verdict.FAIL,
        words,
        content,
        {"raw": words},
        0.1,
        words,
        3,
        True,
    )
    cause = Cause("slug", words, words, words, (words,))
    run = make.run(LOCK, "check", "tiny-stop", StageResult(outcomes=(outcome,), causes=(cause,)))
    Recorder(database).add(run)
    assert read.run_by_id(database, run.id) == run


def test_a_lone_surrogate_is_replaced_not_fatal(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    outcome = Outcome("s", "g", "c", Verdict.FAIL, "bad \ud800 text", {}, {"raw": "\udfff"})
    run = make.run(LOCK, "check", "tiny-stop", StageResult(outcomes=(outcome,)))
    Recorder(database).add(run)
    found = read.run_by_id(database, run.id)
    assert found is not None
    assert (found.result.outcomes[0].diagnosis, found.result.outcomes[0].response) == ("bad ? text", {"raw": "?"})


def test_nan_in_json_leaves_no_part_of_the_run(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    outcome = Outcome("s", "g", "c", Verdict.PASS, "", {"logprob": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        Recorder(database).add(make.run(LOCK, "check", "tiny-stop", StageResult(outcomes=(outcome,))))
    assert read.query(database, "SELECT * FROM runs").empty


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    first, *_ = make.sound_runs(LOCK)
    Recorder(database).add(first)
    with pytest.raises(duckdb.ConstraintException, match=r"(?i)duplicate|primary key"):
        Recorder(database).add(first)
    assert read.query(database, "SELECT * FROM runs").shape[0] == 1
    assert read.query(database, "SELECT * FROM findings").shape[0] == 1


def test_what_digests_stand_for_is_kept_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "results.duckdb")
    for _ in range(2):
        recorder.hardware(make.HARDWARE, make.HARDWARE_CONTENT)
        recorder.engine(make.ENGINE, make.ENGINE_CONTENT)
        recorder.model(str(LOCK.digest), LOCK.name, LOCK.content())
    assert read.hardware(recorder.database, make.HARDWARE) == make.HARDWARE_CONTENT
    assert read.engine(recorder.database, make.ENGINE) == make.ENGINE_CONTENT
    assert read.model(recorder.database, str(LOCK.digest)) == LOCK.content()
    assert read.query(recorder.database, "SELECT count(*) AS n FROM models").n[0] == 1


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from pipeline.record.write import Recorder
from tests import factories as make
lock, recorder, batch = make.lock(), Recorder(Path(sys.argv[1])), sys.argv[2]
runs = make.sound_runs(lock)
print("ready", flush=True)
for number in range(1000):
    run = replace(runs[number % len(runs)], id=f"{batch}-{number}")
    recorder.add(run)
    print(run.id, flush=True)
"""


def test_kill_at_any_point_leaves_whole_runs_alone(tmp_path: Path) -> None:
    """A child is killed 20 times while it writes: what it said was recorded is there, nothing is there in part."""
    database = tmp_path / "results.duckdb"
    chance = random.Random(0)
    kept: set[str] = set()
    deadline = time.monotonic() + 40
    for batch in range(20):
        command = [sys.executable, "-c", WRITER, str(database), str(batch)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            if batch == 0:  # once at least somebody gets so far, however slow the machine
                kept.add(child.stdout.readline().strip())
            time.sleep(chance.uniform(0.0, 0.25))
            child.send_signal(signal.SIGKILL)
            kept |= set(child.stdout.read().split())
        there = set(read.query(database, "SELECT id FROM runs").id)
        assert kept <= there
        assert len(there - kept) <= batch + 1  # committed, but killed before it could say so: at most one each time
        if time.monotonic() > deadline:
            break
    assert kept
    sizes = {run.key.subject: run.result for run in make.sound_runs(LOCK)}
    for id in read.query(database, "SELECT id FROM runs").id:
        found = read.run_by_id(database, id)
        assert found is not None
        assert found.result == sizes[found.key.subject]
    orphans = "SELECT count(*) AS n FROM eval_items WHERE run_id NOT IN (SELECT id FROM runs)"
    assert read.query(database, orphans).n[0] == 0
