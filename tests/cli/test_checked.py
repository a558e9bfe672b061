from __future__ import annotations

from dataclasses import replace

from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.cli.checked import checked
from pipeline.record.model import StageResult

ONE = Outcome("s", "tools", "a", Verdict.PASS, "structured: f({})", grade="structured")


def test_cases_groups_and_causes_are_lines() -> None:
    bad = replace(ONE, case="b", verdict=Verdict.FAIL, grade="no_call", diagnosis="no_call: nothing")
    absent = Outcome("s", "odd", "c", Verdict.SKIP, "not_applicable: no reasoning", grade="not_applicable")
    cause = Cause("no_call", "the model answers in words", "ollama#1", "choose another")
    result = StageResult(outcomes=(ONE, replace(ONE, attempt=2), bad, absent), causes=(cause, replace(cause, known="")))
    assert list(checked(result)) == [
        "  pass    tools/a: structured: f({}) (2 attempts)",
        "  fail    tools/b: no_call: nothing",
        "  skip    odd/c: not_applicable: no reasoning",
        "  group   tools: 1 of 2 trials pass, 95 % interval 0.095 to 0.905; 2 structured, 1 no_call",
        "  group   odd: nothing applies; 1 not_applicable",
        "  likely  the model answers in words (as in ollama#1)",
        "          -> choose another",
        "  likely  the model answers in words",
        "          -> choose another",
    ]
