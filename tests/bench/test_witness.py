"""Server and client beside a load that somebody else makes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from pipeline.bench.readings import Reading
from pipeline.bench.validity import Conditions
from pipeline.bench.witness import Fared, Witness

BUSY = [sys.executable, "-c", "while True: pass"]


def test_what_speaks_against_either_side_is_said_with_its_name() -> None:
    waited = Conditions(1.0, against=("waited",))
    assert Fared().against == ()
    assert Fared(waited, Conditions(1.0)).against == ("the server: waited",)
    assert Fared(Conditions(1.0), waited).against == ("the client: waited",)
    assert set(Fared(waited, None).content()) == {"server"}


def test_whom_a_quota_held_back_is_said_beside_the_figure() -> None:
    fared = Fared(Conditions(10.0, waited=0.5, held=0.3), Conditions(10.0, waited=0.1, held=0.3))
    assert fared.crowded == "the CPU quota of their cgroup held them back: server or client waited 50% of the time"
    assert Fared(Conditions(10.0, waited=0.5, held=0.1)).crowded.startswith("there are too few cores")


@pytest.mark.parametrize(("server", "crowded"), [(6.0, True), (5.0, False), (None, False)])
def test_what_server_and_client_worked_was_nobody_else(
    server: float | None, crowded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one core was at work for nine of ten seconds; the client took three of them."""
    started, pid = Reading(0.0, 0.0, waited=(("1", 0.0),), busy=0.0, idle=0.0), 7
    ended = {pid: server, os.getpid(): 3.0}
    witness = Witness(pid, threads=1)
    monkeypatch.setattr(
        "pipeline.bench.witness.read",
        lambda of: Reading(10.0, ended[of], waited=(("1", 2.0),), busy=9.0, idle=1.0),
    )
    fared = witness.since((started, started))
    assert fared.server and fared.client
    assert (
        fared.server.others
        == fared.client.others
        == (None if server is None else pytest.approx(6.0 / 10 - server / 10))
    )
    assert bool(fared.crowded) == crowded == (not fared.against)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread waited for a core")
def test_a_server_that_shares_its_core_is_found_out() -> None:
    with ExitStack() as stack:
        # Three programs that never rest, on a single core: whichever is the server, it waits for most of the time.
        children = [stack.enter_context(subprocess.Popen(BUSY)) for _ in range(3)]
        try:
            core = {min(os.sched_getaffinity(0))}
            for child in children:
                os.sched_setaffinity(child.pid, core)
            witness = Witness(children[0].pid, threads=1)
            moment = witness.now()
            time.sleep(1.0)
            fared = witness.since(moment)
        finally:
            for child in children:
                child.kill()
    assert fared.server is not None and fared.server.waited is not None
    assert fared.server.waited > 0.3 and fared.waited == fared.server.waited
    assert fared.server.others is not None and fared.server.others > 0.3
    assert fared.against[0].startswith("the server: one of its threads waited for a core")
