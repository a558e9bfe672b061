from __future__ import annotations

from pipeline.core.errors import DigestMismatch, EngineError, LockOutOfDate, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.run import Ran, run
from pipeline.flow.session import Session
from tests.projects import edit, flip

STEPS = ["lock --check", "fetch", "verify", "lint", "check greeting", "eval few", "bench", "gate", "report"]


def heard(project: Project, *, force: bool = False) -> tuple[Ran, list[tuple[str, str]], dict[str, str]]:
    """Run, and return what came of it, what was told (step, state), and the last detail of each step."""
    told: list[tuple[str, str]] = []
    details: dict[str, str] = {}

    def tell(step: str, state: str, detail: str) -> None:
        told.append((step, state))
        details[step] = detail

    return run(Session(project), "small", force=force, told=tell), told, details


def test_the_main_job_again_reuses_everything(assayed: Project) -> None:
    ran, told, details = heard(assayed)
    assert (ran.exit_code, ran.error, ran.decision and ran.decision.accepted) == (0, None, True)
    assert [done.reused for done in ran.done] == [True] * 4
    assert told == [(step, state) for step in STEPS for state in ("…", "ok")]
    assert details["check greeting"] == "1 of 1 cases pass  (on record)"
    assert details["lint"] == "no findings  (on record)"
    assert "acc" in details["eval few"] and "decode_tok_s" in details["bench"]
    assert sorted(path.name for path in ran.reports) == ["small.html", "small.json", "small.md"]
    assert ran.seconds < 5


def test_a_gate_that_says_no_is_exit_1(assayed: Project) -> None:
    edit(assayed.specs / "small.yaml", "few.acc: {min: 0}", "few.none: {min: 0}")
    edit(assayed.specs / "small.yaml", "evals: [few]", "evals: []")
    edit(assayed.specs / "small.yaml", "checks: [greeting]", "checks: []")
    make_lock(Session(assayed), "small")
    ran, told, _ = heard(assayed)
    assert (ran.exit_code, ran.error) == (1, None)
    assert ("gate", "unknown") in told, "nothing fails, but one metric is not there"
    assert ran.reports


def test_an_error_ends_the_run_and_is_kept(assayed: Project) -> None:
    (assayed.suites / "few" / "suite.yaml").write_text("kind: nothing\n")
    ran, told, details = heard(assayed)
    assert isinstance(ran.error, LockOutOfDate)
    assert (ran.exit_code, ran.decision, ran.done) == (3, None, [])
    assert told == [("lock --check", "…"), ("lock --check", "exit 3")]
    assert details["lock --check"].startswith("the lock of small is out of date")

    (assayed.specs / "small.yaml").write_text("name: [")
    ran, _, _ = heard(assayed)
    assert isinstance(ran.error, SpecError) and ran.exit_code == 2
    (assayed.specs / "small.yaml").unlink()
    ran, _, _ = heard(assayed)
    assert isinstance(ran.error, UsageError) and ran.exit_code == 2


def test_what_was_done_before_an_error_counts(assayed: Project) -> None:
    def tell(step: str, state: str, detail: str) -> None:
        if (step, state) == ("eval few", "…"):
            raise EngineError("the engine is gone")

    ran = run(Session(assayed), "small", told=tell)
    assert ran.exit_code == 6
    assert [done.run.key.stage for done in ran.done] == ["lint", "check"]


def test_an_origin_that_changed_is_exit_5(project: Project) -> None:
    weights = project.root / "models" / "small.gguf"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    ran, told, _ = heard(project)
    assert isinstance(ran.error, DigestMismatch) and ran.exit_code == 5
    assert told[-1] == ("fetch", "exit 5")


def test_bytes_that_changed_are_noticed_before_anything_is_measured(assayed: Project) -> None:
    assert heard(assayed)[0].exit_code == 0
    session = Session(assayed)
    blob = session.stored(session.current("small")).weights
    flip(blob)
    ran, _, details = heard(assayed)  # by the receipt all is well, and nothing starts
    assert ran.exit_code == 0 and details["verify"].startswith("by receipt")
    ran, told, _ = heard(assayed, force=True)
    assert ran.exit_code == 5
    assert told[-1] == ("lint", "exit 5")
    assert not blob.exists()  # it is in quarantine
