"""Commands over several models, of which some can't have their turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.project import Project
from pipeline.lock.load import read_lock
from pipeline.store.layout import Store
from tests.attest.signing import make_key
from tests.cli.conftest import Ask
from tests.projects import SPEC, flip
from tests.zoo import rewrite


@pytest.fixture
def ask(ask: Ask, tested: Project, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """In a project with three specs: ``new`` has no lock, ``odd`` can't be read, ``small`` is tested."""
    monkeypatch.chdir(tested.root)
    (tested.specs / "new.yaml").write_text(SPEC.replace("small", "new"))
    (tested.specs / "odd.yaml").write_text("name: odd\nsorce: file:x.gguf\n")
    return ask


def errors(content: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["name"], one["exit_code"]) for one in content["errors"]]


UNREAD = [("new", 3), ("odd", 2)]


@pytest.mark.parametrize(
    ("command", "answers"),
    [("gate", "decisions"), ("fetch", "files"), ("verify", "files"), ("lint", "results"), ("check", "runs")],
)
def test_the_others_have_their_turn(ask: Ask, command: str, answers: str) -> None:
    code, out, err = ask(command)
    assert code == 3, err
    assert "no lock for new" in err and "odd.yaml:2:1: unknown key" in err
    code, out, _ = ask(command, "--json")
    told = json.loads(out)
    assert code == 3 and errors(told) == UNREAD and len(told[answers]) == 1
    assert told.get("ok", False) is False

    code, out, err = ask(command, "new", "--json")
    assert code == 3 and json.loads(out)["schema"] == "assay.error/1"
    assert ask(command, "small")[0] == 0


def test_what_is_worse_is_the_exit_code(ask: Ask, tested: Project) -> None:
    (tested.specs / "policy.yaml").write_text("license: {allow: [mit]}\n")
    code, out, _ = ask("gate", "small", "odd")
    assert code == 2 and out.startswith("small: rejected")
    flip(Store(tested.store).path(read_lock(tested, "small").weights.digest))
    code, _, err = ask("verify", "--deep")
    assert code == 5 and "no lock" in err and "other bytes" in err


def test_what_ends_the_command_for_all_loses_nothing(ask: Ask, tested: Project) -> None:
    (tested.specs / "gone.yaml").write_text(SPEC.replace("small", "gone"))
    rewrite(tested.root / "models" / "gone.gguf", {"general.name": "gone"})
    assert ask("lock", "gone")[0] == 0
    (tested.root / "models" / "gone.gguf").unlink()
    Store(tested.store).path(read_lock(tested, "gone").weights.digest).unlink()
    code, _, err = ask("fetch")
    assert code == 3 and "no lock for new" in err and "gone.gguf" in err and "odd.yaml:2:1" in err
    assert err.count("error: ") == 2
    assert ask("fetch", "odd", "gone")[0] == 2


def test_what_nobody_attests_keeps_no_other_from_its_turn(ask: Ask, tested: Project, tmp_path: Path) -> None:
    make_key(tmp_path)
    code, out, err = ask("verify", "--require-signed", "--public-key", tmp_path / "key.pub", "--json")
    told = json.loads(out)
    assert code == 5 and errors(told) == [*UNREAD, ("small", 5)] and not told["ok"] and len(told["files"]) == 1
    assert "small is not attested" in err and "no lock for new" in err


def test_locks_are_compared_one_by_one(ask: Ask, tested: Project) -> None:
    code, out, err = ask("lock", "--check", "--json")
    told = json.loads(out)
    assert code == 3 and errors(told) == [("odd", 2)] and "odd.yaml:2:1" in err
    assert [(one["name"], one["current"]) for one in told["locks"]] == [("new", False), ("small", True)]


def test_what_is_wrong_for_all_is_said_once(ask: Ask, tested: Project) -> None:
    (tested.specs / "policy.yaml").write_text("licence: {}\n")
    code, out, err = ask("gate", "small", "small", "new")
    assert code == 3 and not out.strip() and err.count("policy.yaml:1:1") == 1


def test_a_report_of_all_says_what_it_leaves_out(ask: Ask, tested: Project) -> None:
    code, out, err = ask("report", "--json")
    told = json.loads(out)
    assert code == 0 and errors(told) == UNREAD and "new: no report" in err
    assert [Path(path).name for path in told["reports"] if "hardware" not in path] == [
        *("small.html", "small.json", "small.md"),
        "index.html",
    ]
    code, out, err = ask("report", "new", "small")
    assert code == 3 and "small.html" in out and "no lock" in err
    assert json.loads(ask("report", "new", "--json")[1])["schema"] == "assay.error/1"


def test_an_engine_that_fails_is_shown_beside_what_lint_found(ask: Ask, tested: Project) -> None:
    rewrite(tested.root / "models" / "new.gguf", {"tokenizer.ggml.pre": "no-such"})
    assert ask("lock", "new")[0] == 0
    code, out, err = ask("run", "new")
    assert code == 6 and "not ready" in err
    assert "new: failed" in out and "  error   A" in out, out
