from __future__ import annotations

import json
from dataclasses import replace

from pipeline.checks.model import Outcome, Verdict


def test_a_verdict_is_its_text_in_json() -> None:
    assert json.dumps(Verdict.UNKNOWN) == '"unknown"'
    assert Outcome("s", "g", "c", Verdict.PASS, "x").request == {}


def test_an_attempt_has_a_name_of_its_own() -> None:
    one = Outcome("s", "g", "c", Verdict.PASS, "x")
    names = [one, replace(one, attempt=2), replace(one, sampled=True), replace(one, attempt=2, sampled=True)]
    assert [outcome.name for outcome in names] == ["c", "c (again, 2)", "c (seed 1)", "c (seed 2)"]
