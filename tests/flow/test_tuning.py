"""Settings tried through the real server, and the block that is written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.bench.tune import GOALS, Side
from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.flow.tuning import Bed, tune, with_engine, write_block


def test_a_smaller_cache_is_seen_as_less_memory_and_its_outputs_are_compared(assayed: Project) -> None:
    session = Session(assayed)
    stored = session.stored(session.current("small"))
    bed = Bed(session, stored, GOALS["memory"], math.inf)
    wide = stored.lock.spec.engine.model_copy(update={"slots": 32, "flash_attention": "on"})
    small = wide.model_copy(update={"cache_type_k": "q8_0", "cache_type_v": "q8_0"})
    sides = [Side(tuple(samples)) for samples in bed.measure(wide, small)]
    assert all(len(side.samples) >= 3 and side.interval for side in sides)
    assert sides[1].samples[0] < sides[0].samples[0]
    same, said = bed.guard(small)
    assert ("within 0.01" in said) == same


def test_the_search_ends_at_once_without_time_and_touches_nothing(assayed: Project) -> None:
    before = (assayed.specs / "small.yaml").read_text()
    found = tune(Session(assayed), "small", "latency", budget=0, write=True)
    assert (found.tuned.trials, found.tuned.complete, found.written) == ([], False, False)
    assert (assayed.specs / "small.yaml").read_text() == before


def test_a_lock_with_other_settings_runs_with_them(assayed: Project) -> None:
    lock = Session(assayed).current("small")
    other = with_engine(lock, lock.spec.engine.model_copy(update={"micro_batch": 64}))
    assert other.argv[other.argv.index("--ubatch-size") + 1] == "64"
    assert lock.argv[lock.argv.index("--ubatch-size") + 1] == "512"


def test_what_is_written_keeps_the_layout_and_never_what_somebody_else_wrote(tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    text = "name: x # mine\nengine:\n  threads: 1 # small\nsampling: {seed: 1}\n"
    spec.write_text(text)
    write_block(spec, text, {"threads": 2, "flash_attention": "on"})
    said = spec.read_text()
    assert said.startswith("name: x # mine\nengine:\n  threads: 2 # small\n  flash_attention: ")
    assert said.endswith("sampling: {seed: 1}\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        write_block(spec, text, {"threads": 3})
