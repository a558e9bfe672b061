from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, NetworkError
from pipeline.core.project import Project
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Settings
from pipeline.flow.roster import Resident, Roster
from pipeline.lock.load import read_lock

NOT_READY = EngineError("llama-server was not ready: exit code 1\nloading /home/me/secret.gguf")


@pytest.fixture
def one(cold_project: Project, tmp_path: Path) -> Resident:
    return Resident(read_lock(cold_project, "small"), 100, tmp_path / "log")


@pytest.fixture
def door(one: Resident, tmp_path: Path) -> Door:
    keys = tmp_path / "keys"
    keys.write_text("alice alice-0123456789abcdef\n")
    keys.chmod(0o600)
    return Door(Settings(keys, tmp_path / "access.jsonl"), [one.upstream])


def test_what_did_not_start_is_refused_for_ever_longer_and_a_client_hears_no_path(one: Resident, door: Door) -> None:
    roster = Roster([one], 100, None)
    waits = []
    for number in range(12):
        before = time.monotonic()
        roster.failed(one, NOT_READY, gone=False)
        waits.append(one.again - before)
        if not number:
            room = roster.behind(door).room("small")  # the first time there was no door yet
        assert room.state == one.state == "failed" and room.closed == "llama-server was not ready: exit code 1"
        one.again += 60.0
        assert roster.turn().start is None and room.state == "failed"
        one.again = 0.0  # the time has come
        assert roster.turn().start is None and room.state == one.state == "unloaded"
    wanted = [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert all(want <= got < 2 * want for want, got in zip(wanted, waits, strict=True)) and not one.gone


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DigestMismatch("/store/blob: other bytes"), "its files are not those that the lock names"),
        (NetworkError("https://user:key@host is down"), "it can't be verified"),
    ],
)
def test_what_is_gone_stays_so(one: Resident, door: Door, error: AssayError, said: str) -> None:
    roster = Roster([one], 100, None)
    room = roster.behind(door).room("small")
    roster.failed(one, error, gone=True)
    one.again = 0.0
    roster.turn()
    assert room.closed == said and room.state == "failed" and roster.last is error


def test_after_a_first_crash_requests_wait_and_after_many_they_are_refused(one: Resident, door: Door) -> None:
    roster = Roster([one], 100, None)
    room = roster.behind(door).room("small")
    states, one.began = [], time.monotonic()
    for _ in range(5):
        roster.failed(one, EngineError("llama-server ended by itself: killed by SIGSEGV"), gone=False, crashed=True)
        states.append(room.state)
    assert states == ["unloaded"] * 3 + ["failed"] * 2


def test_all_fit_or_not(one: Resident) -> None:
    assert [Roster([one], budget, None).all_fit for budget in (99, 100)] == [False, True]
