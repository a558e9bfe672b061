from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UsageError
from pipeline.deploy.history import Wish, back, base_of, standing
from pipeline.deploy.log import Event, Line, append, read


class History:
    """A log that is written action by action."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, action: str, lock: str, **options: Any) -> Line:
        return append(self._path, Event("small", action, "local", lock, options=options), datetime.now(UTC))

    def again(self, line: Line) -> Line:
        return self.add("rollback", line.event.lock, of=base_of(line))

    @property
    def lines(self) -> list[Line]:
        return read(self._path).require().of("small")

    def stack(self) -> str:
        return "".join(line.event.lock for line in standing(self.lines).stack)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "log.jsonl")


def test_what_is_deployed_stands_on_what_was(history: History) -> None:
    for lock in "abc":
        history.add("deploy", lock)
    found = standing(history.lines)
    assert (found.wish, history.stack()) == (Wish.RUNNING, "abc")
    assert [back(found, steps).event.lock for steps in (1, 2)] == ["b", "a"]
    for steps in (0, 3):
        with pytest.raises(UsageError, match=f"can't go back {steps}: 2 earlier on record"):
            back(found, steps)


def test_a_rollback_takes_away_what_it_goes_back_behind(history: History) -> None:
    for lock in "abc":
        history.add("deploy", lock)
    history.again(back(standing(history.lines), 1))
    assert history.stack() == "ab"
    history.again(back(standing(history.lines), 1))
    assert history.stack() == "a"
    history.add("deploy", "d")
    assert history.stack() == "ad" and back(standing(history.lines), 1).event.lock == "a"


def test_the_same_lock_twice_is_two_deployments(history: History) -> None:
    for lock in "aba":
        history.add("deploy", lock)
    history.again(back(standing(history.lines), 2))
    assert history.stack() == "a"


def test_what_never_answered_is_nothing_to_go_back_to(history: History) -> None:
    history.add("deploy", "a")
    history.add("deploy", "b")
    history.add("failed", "b", never_answered=True)
    found = standing(history.lines)
    assert (found.wish, history.stack()) == (Wish.FAILED, "a")
    assert back(found, 1).event.lock == "a"
    history.again(back(found, 1))
    assert (standing(history.lines).wish, history.stack()) == (Wish.RUNNING, "a")


def test_what_answered_once_stays_on_record(history: History) -> None:
    history.add("deploy", "a")
    history.add("deploy", "b")
    for action, wish in (("failed", Wish.FAILED), ("out-of-service", Wish.OUT_OF_SERVICE), ("stop", Wish.STOPPED)):
        history.add(action, "b")
        found = standing(history.lines)
        assert (found.wish, history.stack()) == (wish, "ab") and found.now and found.now.event.lock == "b"
        assert back(found, 1).event.lock == "a"


def test_nothing_that_ever_ran_is_nothing(history: History) -> None:
    history.add("deploy", "a")
    history.add("failed", "a", never_answered=True)
    found = standing(history.lines)
    assert found.now is None and found.stack == ()
    with pytest.raises(UsageError, match="0 earlier"):
        back(found, 1)


def test_what_failed_beside_what_serves_changes_nothing(history: History) -> None:
    old = [history.add("deploy", lock) for lock in "abc"][-1]
    new = history.add("deploy", "d")
    history.add("failed", "d", never_answered=True, entry=new.digest, serving=old.digest)
    found = standing(history.lines)
    assert (found.wish, history.stack(), found.now) == (Wish.RUNNING, "abc", old)
    assert back(found, 1).event.lock == "b"


def test_a_rollback_that_failed_took_nothing_away(history: History) -> None:
    lines = [history.add("deploy", lock) for lock in "abc"]
    line = history.again(back(standing(history.lines), 2))
    assert history.stack() == "a"
    history.add("failed", "a", never_answered=True, entry=line.digest, serving=lines[-1].digest)
    found = standing(history.lines)
    assert (found.wish, history.stack(), found.now) == (Wish.RUNNING, "abc", lines[-1])


def test_the_end_of_what_was_replaced_is_not_the_end_of_what_replaced_it(history: History) -> None:
    old, new = history.add("deploy", "a"), history.add("deploy", "b")
    history.add("out-of-service", "a", entry=old.digest)
    found = standing(history.lines)
    assert (found.wish, history.stack(), found.now) == (Wish.RUNNING, "ab", new)
    history.add("out-of-service", "b", entry=new.digest)
    assert standing(history.lines).wish is Wish.OUT_OF_SERVICE


def test_what_never_answered_is_gone_also_when_it_is_known_late(history: History) -> None:
    new = [history.add("deploy", lock) for lock in "ab"][-1]
    history.add("deploy", "c")
    history.add("failed", "b", never_answered=True, entry=new.digest)
    assert (standing(history.lines).wish, history.stack()) == (Wish.RUNNING, "ac")
