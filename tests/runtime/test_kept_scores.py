from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import UsageError
from pipeline.runtime.binding import Scorer
from pipeline.runtime.kept_scores import Scores
from pipeline.runtime.packing import PACKED, Group, Packing, packs
from pipeline.runtime.readers import Logprob, Numbers, Reader

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
GROUPS = [Group((1, 2 + i % 50, 300 + i), ((5, 6), (7 + i,), (8, 9, 10))) for i in range(150)]
# A child that is killed by the third row it writes; with what it kept, this process goes on.
KILLED = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from pipeline.runtime.kept_scores import Scores
from tests.runtime.test_kept_scores import GROUPS, WEIGHTS, Scorer

put, done = Scores.put, []

def last_words(self, *row):
    put(self, *row)
    done.append(row)
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Scores.put = last_words
with Scores(Path(sys.argv[1]), "model") as scores, Scorer(WEIGHTS, threads=1, scores=scores) as scorer:
    list(scorer.score(GROUPS))
"""


class Watched(Scores):
    """Counts what is computed."""

    computed = 0

    def put(self, pack: bytes, reader: str, content: bytes) -> None:
        self.computed += 1
        super().put(pack, reader, content)


def scored(
    path: Path,
    groups: Iterable[Group] = GROUPS,
    model: str = "model",
    packing: Packing = PACKED,
    reader: Reader | None = None,
) -> tuple[list[Numbers], int]:
    with Watched(path, model) as scores, Scorer(WEIGHTS, threads=1, scores=scores) as scorer:
        numbers = [numbers for _, numbers in scorer.read(groups, reader or Logprob(), packing)]
    return numbers, scores.computed


def same(one: list[Numbers], other: list[Numbers]) -> bool:
    return len(one) == len(other) and all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_a_killed_run_goes_on_and_has_the_bits_of_one_that_was_never_stopped(tmp_path: Path) -> None:
    plan = list(packs(GROUPS))
    assert len(plan) > 6
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "scores")]
    child = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    resumed, computed = scored(tmp_path / "scores")
    assert computed == len(plan) - 3
    whole, _ = scored(tmp_path / "other")
    assert same(resumed, whole)
    again, computed = scored(tmp_path / "scores")
    assert computed == 0 and same(again, whole)


def test_a_changed_part_of_the_key_computes_just_what_it_touches(tmp_path: Path) -> None:
    path, plan = tmp_path / "scores", len(list(packs(GROUPS)))
    whole, computed = scored(path)
    assert computed == plan
    changed = [*GROUPS[:70], Group((1, 2, 3), ((4,),)), *GROUPS[71:]]
    numbers, computed = scored(path, changed)
    blocks = [pack.first // PACKED.block for pack in packs(changed)]
    assert 0 < computed <= blocks.count(70 // PACKED.block) < plan
    assert same(numbers[: PACKED.block], whole[: PACKED.block])
    assert scored(path, model="another")[1] == plan
    assert scored(path, packing=Packing(tokens=100))[1] == len(list(packs(GROUPS, Packing(tokens=100))))

    class Other(Logprob):
        key = "other"

    assert scored(path, reader=Other())[1] == plan
    assert scored(path)[1] == 0


def test_what_was_cut_short_is_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "scores"
    whole, _ = scored(path, GROUPS[:20])
    with sqlite3.connect(path) as file:
        file.execute("UPDATE packs SET content = substr(content, 1, 8)")
    numbers, computed = scored(path, GROUPS[:20])
    assert computed and same(numbers, whole)


def test_a_file_that_is_none_of_ours_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("not a database " * 100)
    with pytest.raises(UsageError, match=r"scores: the kept scores can't be used: .*database") as raised:
        Scores(tmp_path / "scores", "model")
    assert "delete it" in raised.value.hint


def test_beyond_its_bound_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    path = tmp_path / "scores"
    with Scores(path, "model") as scores:
        for number in range(10):
            scores.put(b"pack %d" % number, "reader", bytes(1000))
    with sqlite3.connect(path) as file:
        file.execute("UPDATE packs SET used = used - 10")
    with Scores(path, "model", largest=4000) as scores:
        assert scores.get(b"pack 7", "reader") == bytes(1000)
    with Scores(path, "model") as scores:
        left = [number for number in range(10) if scores.get(b"pack %d" % number, "reader")]
        assert 7 in left and len(left) == 3


def test_a_pack_that_a_disk_changed_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "scores.sqlite"
    with Scores(path, "model") as scores:
        scores.put(b"pack", "logprob", b"eight by")
        scores.put(b"other", "logprob", b"")
        assert scores.get(b"pack", "logprob") == b"eight by" and scores.get(b"other", "logprob") == b""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "UPDATE packs SET content = CAST('sevenbyt' || substr(content, 9) AS BLOB) WHERE length(content) > 16"
        )
    with Scores(path, "model") as scores:
        assert scores.get(b"pack", "logprob") is None and scores.get(b"other", "logprob") == b""
        scores.put(b"pack", "logprob", b"eight by")
        assert scores.get(b"pack", "logprob") == b"eight by"
