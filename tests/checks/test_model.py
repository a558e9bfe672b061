from __future__ import annotations

from pipeline.checks.model import Outcome, Verdict


def test_a_verdict_is_its_word() -> None:
    assert [str(verdict) for verdict in Verdict] == ["pass", "fail", "unknown"]
    assert Outcome("s", "g", "c", Verdict.PASS, "x").request == {}
