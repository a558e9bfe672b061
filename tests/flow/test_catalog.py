"""The catalog: what became of every spec, by what is on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipeline.core.errors import SpecError, UsageError
from pipeline.core.project import Project
from pipeline.flow.baseline import accept, baseline_of, baselines
from pipeline.flow.catalog import Entry, State, catalog
from pipeline.flow.decided import decision_on_record
from pipeline.flow.judge import judge
from pipeline.flow.session import Session
from tests.projects import edit

POLICY = """\
license: {allow: [mit]}
exceptions:
  - {models: [small], rule: "policy license*", owner: ada, reason: in review}
"""


def entry(project: Project) -> Entry:
    (found,) = catalog(Session(project), ["small"])
    return found


def policy(project: Project, text: str) -> None:
    (project.specs / "policy.yaml").write_text(text)


def test_what_was_accepted_is_accepted(assayed: Project) -> None:
    found = entry(assayed)
    assert (found.state, found.why, found.fix) == (State.ACCEPTED, (), "")
    assert found.decision is not None and found.decision.accepted


def test_what_was_never_judged_is_unknown(project: Project) -> None:
    found = entry(project)
    assert (found.state, found.fix) == (State.UNKNOWN, "assay run small")


def test_a_spec_that_moved_is_stale(assayed: Project) -> None:
    edit(assayed.specs / "small.yaml", "context: 1024", "context: 512")
    found = entry(assayed)
    assert found.state is State.STALE
    assert "lock small" in found.fix
    assert found.decision is not None and found.decision.accepted, "it is told what was decided last"


def test_runs_that_no_longer_count_make_it_stale(assayed: Project) -> None:
    """As when a rule's code or Assay's version changes: the record is edited here, since the code stays."""
    with duckdb.connect(str(assayed.database)) as connection:
        connection.execute("UPDATE runs SET assay_version = '0.0.1' WHERE stage = 'lint'")
    found = entry(assayed)
    assert found.state is State.STALE
    assert "changed since it was judged" in found.why[0]


def test_a_policy_makes_stale_what_was_judged_without_it(assayed: Project) -> None:
    policy(assayed, "license: {allow: [mit]}\n")
    found = entry(assayed)
    assert (found.state, found.fix) == (State.STALE, "assay gate small")
    session = Session(assayed)
    lock = session.current("small")
    assert decision_on_record(session, lock) is None, "nothing serves on it"
    assert not judge(session, lock).accepted
    found = entry(assayed)
    assert found.state is State.REJECTED
    assert found.why == ("fail policy license: one of mit: apache-2.0",)
    assert "licence" in found.fix


def test_an_exception_is_told(assayed: Project) -> None:
    policy(assayed, POLICY)
    session = Session(assayed)
    assert judge(session, session.current("small")).accepted
    found = entry(assayed)
    assert found.state is State.ACCEPTED
    assert found.waived == ("policy license: one of mit: accepted by ada: in review",)


def test_a_broken_policy_is_told_once(assayed: Project) -> None:
    policy(assayed, "mode: loud\n")
    with pytest.raises(SpecError, match=r"policy\.yaml"):
        entry(assayed)


def test_a_baseline_is_what_is_on_record(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    assert baseline_of(session, lock) is None
    made = accept(session, lock, reason="first", owner="ada")
    assert (made.reason, made.owner, len(made.run_ids)) == ("first", "ada", 2)
    accept(session, lock, reason="second", owner="ada")
    assert [one.reason for one in baselines(session, "small")] == ["second", "first"]
    policy(assayed, "baseline: [{suite: few}]\n")
    decision = judge(Session(assayed), lock)
    said = next(reason for reason in decision.reasons if reason.rule.startswith("policy few"))
    assert decision.accepted and "+0" in said.message


def test_nothing_on_record_is_no_baseline(project: Project) -> None:
    session = Session(project)
    with pytest.raises(UsageError, match="no check and no eval of small is on record"):
        accept(session, session.current("small"), reason="r", owner="o")


def test_without_specs_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    with pytest.raises(UsageError, match="no specs"):
        Session(Project(tmp_path)).names(())


def test_what_spec_and_policy_both_find_is_told_once(assayed: Project) -> None:
    policy(assayed, "lint: none\nlicense: {allow: [mit]}\nchecks: [limits]\n")
    session = Session(assayed)
    judge(session, session.current("small"))
    found = entry(assayed)
    assert found.decision is not None
    broken = [one for one in found.decision.reasons if not one.holds]
    twice = replace(broken[0], rule="policy the same again")
    session.recorder.add_decision(replace(found.decision, id="later", reasons=(*found.decision.reasons, twice)))
    again = entry(assayed)
    assert len(again.why) == len(broken) == len(found.why)
    assert f"{broken[0].rule} and policy the same again: {broken[0].message}" in again.why[0]
