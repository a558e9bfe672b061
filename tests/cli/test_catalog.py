"""The catalog and its baselines, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.project import Project
from tests.cli.conftest import Ask


@pytest.fixture
def ask(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.chdir(assayed.root)
    return ask


def test_the_catalog_is_told_and_its_exit_code_says_whether_all_is_well(ask: Ask, assayed: Project) -> None:
    code, out, _ = ask("catalog")
    assert (code, out.splitlines()) == (0, ["accepted  small", "1 accepted"])
    (assayed.specs / "policy.yaml").write_text("license: {allow: [mit]}\n")
    assert ask("gate")[0] == 1
    code, out, _ = ask("catalog")
    assert code == 1
    assert out.splitlines()[0] == "rejected  small"
    assert "policy license: one of mit: apache-2.0" in out and "1 rejected" in out
    (model,) = json.loads(ask("catalog", "--json")[1])["models"]
    assert (model["name"], model["state"], model["decision"]["accepted"]) == ("small", "rejected", False)


def test_a_faulty_policy_is_a_usage_error_with_its_place(ask: Ask, assayed: Project) -> None:
    (assayed.specs / "policy.yaml").write_text("mode: enforce\nchekcs: []\n")
    for command in ("gate", "catalog"):
        code, _, err = ask(command)
        assert code == 2
        assert "policy.yaml:2:1" in err and "checks" in err


def test_a_baseline_is_accepted_for_a_reason_and_shown(ask: Ask, assayed: Project) -> None:
    assert ask("baseline", "show")[1] == "small: no baseline\n"
    for wrong in (
        ("baseline", "accept"),
        ("baseline", "accept", "small"),
        ("baseline", "accept", "small", "--reason", " "),
    ):
        assert ask(*wrong)[0] == 2
    spec = (assayed.specs / "small.yaml").read_text()
    (assayed.specs / "other.yaml").write_text(spec.replace("name: small", "name: other"))
    assert ask("lock", "other")[0] == 0
    code, _, err = ask("baseline", "accept", "small", "other", "--reason", "both")
    assert code == 2 and "no check and no eval of other" in err
    assert "no baseline" in ask("baseline", "show", "small")[1], "all of them or none"
    (assayed.specs / "other.yaml").unlink()
    code, out, _ = ask("baseline", "accept", "small", "--reason", "first release", "--owner", "ada")
    assert code == 0 and "2 runs of lock" in out
    assert "by ada: first release" in ask("baseline", "show", "small")[1]
    content = json.loads(ask("baseline", "show", "--json")[1])
    assert [one["owner"] for one in content["baselines"]["small"]] == ["ada"]


def test_a_record_is_carried_to_another_machine(ask: Ask, tmp_path: Path, assayed: Project) -> None:
    folder = tmp_path / "exported"
    code, out, _ = ask("record", "export", str(folder))
    assert code == 0 and "4 runs" in out
    assert ask("record", "import", str(folder))[1].endswith("0 runs added, 4 were there\n")
    assayed.database.unlink()
    assert ask("catalog")[1].startswith("unknown")
    assert ask("record", "import", str(folder))[1].endswith("4 runs added, 0 were there\n")
    assert ask("catalog")[1].startswith("accepted"), "the decision came along"
    assert ask("record", "export", "a", "b")[0] == 2
    assert ask("record", "import", str(tmp_path / "nothing"))[0] == 2
