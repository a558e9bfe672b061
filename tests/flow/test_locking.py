from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.core.errors import NetworkError, SpecError, UsageError
from pipeline.core.progress import SILENT
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from tests.origin import origin
from tests.projects import edit


def test_a_lock_is_written_once_and_a_dry_run_writes_nothing(project: Project) -> None:
    session, path = Session(project), lock_path(project, "small")
    before = path.read_bytes()
    again = make_lock(session, "small")
    assert (again.changes, again.written, path.read_bytes()) == ((), False, before)

    edit(project.specs / "small.yaml", "slots: 2", "slots: 3")
    dry = make_lock(session, "small", dry_run=True)
    assert dry.changes and not dry.written and path.read_bytes() == before
    wet = make_lock(session, "small")
    assert wet.written and wet.lock == dry.lock and path.read_bytes() != before


@pytest.mark.parametrize(("suite", "old"), [("few", "prompt: chat"), ("greeting", "expect: {not_empty: true}")])
def test_a_suite_with_faults_is_not_locked(project: Project, suite: str, old: str) -> None:
    edit(project.suites / suite / "suite.yaml", old, "bogus: 1")
    before = lock_path(project, "small").read_bytes()
    with pytest.raises(SpecError, match=rf"{suite}/suite\.yaml:\d+:1: unknown key 'bogus'"):
        make_lock(Session(project), "small")
    assert lock_path(project, "small").read_bytes() == before


def test_a_rule_that_does_not_exist_is_not_ignored(project: Project) -> None:
    path = project.specs / "small.yaml"
    path.write_text(path.read_text() + "lint: {ignore: [{code: A999, reason: it is new}]}\n")
    with pytest.raises(UsageError, match=r"lint\.ignore names A999, which is no rule"):
        make_lock(Session(project), "small")


def test_suites_under_the_wrong_heading_are_not_locked(project: Project) -> None:
    path = project.specs / "small.yaml"
    edit(path, "checks: [greeting]", "checks: [greeting, few]")
    edit(path, "evals: [few]", "evals: [few, greeting]")
    with pytest.raises(SpecError) as caught:
        make_lock(Session(project), "small")
    said = [str(problem).partition("small.yaml:")[2] for problem in caught.value.problems]
    assert said == [
        "6:20: checks: few is an eval (name it under evals)",
        "7:14: evals: greeting is a suite of checks (name it under checks)",
    ]


@pytest.mark.parametrize(
    ("checks", "gates", "said"),
    [
        ("[greeting]", "[greting]", "9:31: {} 'greting' (did you mean 'greeting'?)"),
        ("[greeting]", "[greeting, {group: x, rate: 0.5}]", "9:41: {} 'x' (their groups are: greeting)"),
        ("[]", "[greeting]", "9:31: {} 'greeting' (name a suite that has it under checks)"),
    ],
)
def test_a_group_that_no_suite_has_is_not_gated(project: Project, checks: str, gates: str, said: str) -> None:
    path = project.specs / "small.yaml"
    edit(path, "checks: [greeting]", f"checks: {checks}")
    edit(path, "lint: error, metrics", f"lint: error, checks: {gates}, metrics")
    with pytest.raises(SpecError) as caught:
        make_lock(Session(project), "small")
    (problem,) = caught.value.problems
    words = "gates.checks: no suite that the spec names under checks has the group"
    assert str(problem).endswith(f"small.yaml:{said.format(words)}")


def test_an_error_in_one_of_many_ends_the_downloads_of_the_others(project: Project, tiny_chat: Path) -> None:
    text = (project.specs / "small.yaml").read_text()
    with origin() as server:
        slow = server.put("/slow.gguf", tiny_chat.read_bytes(), pause=0.05)  # 12 seconds
        for name, source in {"one": slow, "two": server.put("/none.gguf", status=404)}.items():
            changed = text.replace("name: small", f"name: {name}").replace("file:../models/small.gguf", source)
            (project.specs / f"{name}.yaml").write_text(changed)
        began = time.monotonic()
        with pytest.raises(NetworkError, match="404"):
            make_locks(Session(project), ["two", "one"])
        assert time.monotonic() - began < 8
    assert not list((project.store / "partial").glob("url-*"))


def test_locks_that_were_written_before_an_error_are_told(project: Project) -> None:
    said: list[str] = []

    class Noting(type(SILENT)):  # type: ignore[misc]
        def note(self, message: str) -> None:
            said.append(message)

    text = (project.specs / "small.yaml").read_text()
    for name in ("one", "two", "three"):
        source = "file:../models/none.gguf" if name == "two" else "file:../models/small.gguf"
        changed = text.replace("name: small", f"name: {name}").replace("file:../models/small.gguf", source)
        (project.specs / f"{name}.yaml").write_text(changed)
    with pytest.raises(UsageError, match="no such file"):
        make_locks(Session(project, progress=Noting()), ["one", "two", "three"])
    written = [name for name in ("one", "three") if lock_path(project, name).is_file()]
    assert "one" in written and not lock_path(project, "two").exists()
    told = [line.partition(":")[0] for line in said if ": written, sha256:" in line]
    assert told == written


def test_what_was_replaced_and_is_not_here_any_more_is_compared_with_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's address holds other bytes by now: to compare them with themselves would call them unchanged."""
    monkeypatch.setenv("ASSAY_STORE", str(project.root / "empty"))
    weights = project.root / "models" / "small.gguf"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content.replace(b"<|im_start|>", b"<|im_begin|>", 1))
    means = {one.topic: str(one) for one in make_lock(Session(project), "small", dry_run=True).meaning}
    assert means["weights"].startswith("weights: not compared (") and "was replaced" in means["weights"]
