from __future__ import annotations

import json

import pytest

from pipeline.core.project import Project
from pipeline.flow import locking
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from tests.projects import assay, edit

CASES = """\
cases:
  - {id: hello, about: It answers., turns: [{user: Hello!}]}
  - {id: thinks, about: It reasons., requires: {reasoning: true}, turns: [{user: Hello!, expect: {reasoning: present}}]}
  - {id: cut, about: It ends in time., group: ends, max_tokens: 2, turns: [{user: Hello!, expect: {finish: stop}}]}
"""


def test_groups_rates_and_causes_of_a_real_run(project: Project) -> None:
    suite = project.suites / "greeting" / "suite.yaml"
    suite.write_text(suite.read_text().split("cases:")[0] + CASES)
    asked = "checks: [greeting, {group: ends, rate: 0.5}], metrics"
    edit(project.specs / "small.yaml", "gates: {lint: error, metrics", f"gates: {{lint: error, {asked}")
    assert assay("lock", "small", project=project)[0] == 0
    code, out, _ = assay("check", "small", "--json", project=project)
    (run,) = json.loads(out)["runs"]
    assert code == 1
    verdicts = {one["case"]: (one["verdict"], one["grade"]) for one in run["outcomes"]}
    assert verdicts == {"hello": ("pass", "answered"), "thinks": ("skip", "not_applicable"), "cut": ("fail", "runaway")}
    assert [(one["group"], one["passed"], one["trials"], one["skipped"]) for one in run["groups"]] == [
        ("greeting", 1, 1, 1),
        ("ends", 0, 1, 0),
    ]
    assert [cause["id"] for cause in run["causes"]] == ["runaway"]
    again, text, _ = assay("check", "small", project=project)
    assert again == 1 and "(on record)" in text
    assert "  likely  answers do not stop in 1 of 2 answers" in text
    assert "pass    checks greeting: every case passes: 1 of 1 case passed; 1 case not applicable" in text
    assert "unknown checks ends: pass rate at least 0.5: 0 of 1 trials passed" in text


@pytest.mark.parametrize(("stage", "suites"), [("check", "checks: [greeting]"), ("eval", "evals: [few]")])
def test_a_spec_without_suites_is_told_so(project: Project, stage: str, suites: str) -> None:
    edit(project.specs / "small.yaml", suites, f"{stage}s: []")
    assert assay("lock", "small", project=project)[0] == 0
    assert assay(stage, "small", project=project)[:2] == (0, f"small: the spec names no suites under {stage}s\n")
    code, out, _ = assay(stage, "small", "--json", project=project)
    assert (code, json.loads(out)["runs"]) == (0, [])


def test_a_required_group_that_no_case_has_does_not_pass(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.specs / "small.yaml"
    edit(path, "checks: [greeting]", "checks: []")
    edit(path, "lint: error, metrics", "lint: error, checks: [greeting], metrics")
    monkeypatch.setattr(locking, "_check_groups", lambda *_: None)  # a lock of before such specs were refused
    make_lock(Session(project), "small")
    code, out, _ = assay("check", "small", project=project)
    assert code == 1
    assert "unknown checks greeting: every case passes: no case of this group has been run" in out
