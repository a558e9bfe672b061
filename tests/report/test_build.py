from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.report.build import facts_of
from pipeline.report.model import Fact
from tests import factories as make
from tests.report import samples


def test_the_chain_goes_from_spec_to_decision_with_whole_digests() -> None:
    report = samples.accepted()
    assert [link.title for link in report.chain] == [
        "Spec",
        "Lock",
        "Weights",
        "Engine",
        "Suites",
        "Results",
        "Decision",
    ]
    digests = [digest for link in report.chain for _, digest in link.entries]
    assert digests[:2] == [report.lock.spec_digest, str(report.lock.digest)]
    assert len(digests) == 1 + 1 + 1 + 2 + 4 + 6 + 1
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_the_decision_digest_moves_with_anything_it_says() -> None:
    decision = samples.accepted().decision
    assert decision is not None
    changed = [
        replace(decision, accepted=False),
        replace(decision, run_ids=decision.run_ids[1:]),
        replace(decision, reasons=decision.reasons[1:]),
        replace(decision, hardware_digest=make.ENGINE),
    ]
    assert len({one.digest for one in (decision, *changed)}) == 5
    assert decision.digest == replace(decision).digest


def test_runs_are_in_the_order_of_the_stages() -> None:
    report = samples.report(make.lock(), make.sound_runs(make.lock())[::-1])
    assert [run.key.stage for run in report.runs] == ["lint", "check", "check", "eval", "eval", "bench"]


def test_a_run_the_decision_does_not_rest_on_is_marked() -> None:
    lock = make.lock()
    runs = make.sound_runs(lock)
    stale = replace(runs[1], id="stale", key=replace(runs[1].key, subject_digest=make.ENGINE))
    report = samples.report(lock, [*runs, stale])
    assert [run.id for run in report.runs if not report.counts(run)] == ["stale"]


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ({"cpu_model": "x", "memory": 2**34}, [Fact("CPU model", "x"), Fact("Memory", "16 GiB")]),
        (
            {"quota": None, "simd": ["a", "b"], "gpus": []},
            [Fact("Quota", "unknown"), Fact("SIMD", "a · b"), Fact("GPUs", "none")],
        ),
        ({"files": {"libx.so": make.ENGINE}}, [Fact("Files › libx.so", make.ENGINE, code=True)]),
        ({"gpus": [{"name": "L4", "memory": 2**30}]}, [Fact("GPUs 1 › name", "L4"), Fact("GPUs 1 › memory", "1 GiB")]),
        ({}, []),
    ],
)
def test_facts_of_any_content(content: dict[str, object], facts: list[Fact]) -> None:
    assert list(facts_of(content)) == facts
