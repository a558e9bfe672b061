"""Records of several machines become one: each run once, whatever the order and however often."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.record import read, schema
from pipeline.record.merge import CONTENTS, merge, write_record
from pipeline.record.model import Accepted, Run
from pipeline.record.write import Recorder
from tests import factories as make

LOCK = make.lock()


MADE: dict[tuple[str, ...], bytes] = {}


def filled(path: Path, runs: list[Run]) -> Path:
    """A database with runs, and what they were made of: made once, then copied."""
    ids = (str(len(schema.MIGRATIONS)), *(run.id for run in runs))
    if ids not in MADE:
        recorder = Recorder(path)
        recorder.model(str(LOCK.digest), LOCK.name, LOCK.content())
        recorder.engine(make.ENGINE, make.ENGINE_CONTENT)
        for run in runs:
            recorder.add(run)
        MADE[ids] = path.read_bytes()
    path.write_bytes(MADE[ids])
    return path


def everything(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, numbers aside, in an order of their own."""
    tables = set(read.query(database, "SHOW TABLES").name) - {"migrations"}
    found = {}
    for table in tables:
        frame = read.query(database, f"SELECT * FROM {table}").drop(columns=["number"], errors="ignore")
        found[table] = sorted(map(tuple, frame.astype(str).to_numpy().tolist()))
    return found


@pytest.fixture(params=["folder", "database"])
def carried(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], Path]:
    """Both ways to hand over a record."""

    def carry(database: Path) -> Path:
        if request.param == "database":
            return database
        write_record(database, tmp_path / f"{database.stem}-exported")
        return tmp_path / f"{database.stem}-exported"

    return carry


def test_two_records_become_one_without_doubles(tmp_path: Path, carried: Callable[[Path], Path]) -> None:
    sound, other = make.sound_runs(LOCK), [replace(run, id=f"{run.id}-b") for run in make.broken_runs(LOCK)]
    one, two = filled(tmp_path / "one.duckdb", sound), filled(tmp_path / "two.duckdb", [sound[0], *other])
    whole = everything(filled(tmp_path / "whole.duckdb", [*sound, *other]))
    found = merge(one, carried(two))
    assert (found.added["runs"], found.known) == (len(other), 1)
    assert everything(one) == whole
    again = merge(one, carried(two))
    assert (again.added, again.known) == ({}, len(other) + 1)
    assert everything(one) == whole
    numbers = list(read.query(one, "SELECT number FROM runs ORDER BY number").number)
    assert numbers == list(range(1, len(sound) + len(other) + 1)), "the order of a record has no gap and no double"
    assert read.run_by_id(one, other[0].id) == other[0]


def test_the_order_of_merging_does_not_matter(tmp_path: Path, carried: Callable[[Path], Path]) -> None:
    runs = make.sound_runs(LOCK)
    parts = [filled(tmp_path / f"part{i}.duckdb", runs[2 * i : 2 * i + 3]) for i in range(3)]
    carried_parts = [carried(part) for part in parts]
    results = []
    for order in ((0, 1, 2), (2, 0, 1)):
        target = tmp_path / f"target{order[0]}.duckdb"
        for i in order:
            merge(target, carried_parts[i])
        results.append(everything(target))
    assert results[0] == results[1] == everything(filled(tmp_path / "all.duckdb", runs))


def test_decisions_and_baselines_come_along_once(tmp_path: Path, carried: Callable[[Path], Path]) -> None:
    source = filled(tmp_path / "one.duckdb", make.sound_runs(LOCK))
    made = Accepted(LOCK.name, str(LOCK.digest), make.ENGINE, make.HARDWARE, ("a",), "ada", "first", make.NOW)
    Recorder(source).add_baseline(made)
    target = tmp_path / "two.duckdb"
    for _ in range(2):
        merge(target, carried(source))
    assert read.baselines_of(target, LOCK.name, make.HARDWARE) == [made]


def test_a_record_of_before_a_migration_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make.sound_runs(LOCK)[0]
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:-1])
        old = filled(tmp_path / "old.duckdb", [run])
        write_record(old, tmp_path / "old")
    for source in (tmp_path / "old", old):
        target = tmp_path / f"{source.name}.merged.duckdb"
        merge(target, source)
        assert read.run_by_id(target, run.id) == run


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    write_record(filled(tmp_path / "one.duckdb", []), folder)
    contents = json.loads((folder / CONTENTS).read_text())
    (folder / CONTENTS).write_text(json.dumps({**contents, "migrations": 99}))
    with pytest.raises(UsageError, match="schema 99"):
        merge(tmp_path / "two.duckdb", folder)


@pytest.mark.parametrize("fault", ["flipped", "missing", "no list", "no folder", "no database"])
def test_what_is_damaged_adds_nothing(tmp_path: Path, fault: str) -> None:
    target = filled(tmp_path / "target.duckdb", make.sound_runs(LOCK)[:1])
    before = everything(target)
    folder = tmp_path / "exported"
    write_record(filled(tmp_path / "one.duckdb", make.sound_runs(LOCK)), folder)
    source, path = folder, folder / "runs.parquet"
    match fault:
        case "flipped":
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "missing":
            path.unlink()
        case "no list":
            (folder / CONTENTS).unlink()
        case "no folder":
            source = tmp_path / "nothing"
        case "no database":
            source = tmp_path / "bad.duckdb"
            source.write_bytes(b"not a database")
    with pytest.raises(DigestMismatch if fault in ("flipped", "missing") else UsageError):
        merge(target, source)
    assert everything(target) == before


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds other files"):
        write_record(filled(tmp_path / "one.duckdb", []), tmp_path / "mine")


def test_nothing_on_record_is_written_and_read_as_nothing(tmp_path: Path) -> None:
    counts = write_record(tmp_path / "none.duckdb", tmp_path / "exported")
    assert set(counts.values()) == {0}
    assert merge(tmp_path / "other.duckdb", tmp_path / "exported").added == {}


def test_an_exported_record_is_plain_parquet(tmp_path: Path) -> None:
    write_record(filled(tmp_path / "one.duckdb", make.sound_runs(LOCK)), tmp_path / "exported")
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT count(*) FROM '{tmp_path}/exported/runs.parquet'").fetchone()
    assert found == (len(make.sound_runs(LOCK)),)
