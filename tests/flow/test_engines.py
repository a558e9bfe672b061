from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.core.errors import EngineError, UsageError
from pipeline.core.project import Project
from pipeline.flow.decided import decision_on_record
from pipeline.flow.engines import Comparison, Difference, compare_engines
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import subject_stored
from pipeline.lint.model import Finding
from pipeline.lint.rules.prompts_moved import RULE
from pipeline.record.read import runs_of
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.projects import assay, make_project

STOPS = """\
kind: behaviour
version: "1"
license: CC0-1.0
source: written for this test
group: greeting
max_tokens: 40
expect: {finish: stop}
cases:
  - {id: hello, about: It stops., turns: [{user: Hello!}]}
"""
COMMIT = b"0c1e570"


def built(build: EngineBuild, folder: Path, changes: Mapping[bytes, bytes]) -> Path:
    """A copy of the packaged llama.cpp with some bytes of its files replaced: another build, by its digest, that differs
    in just that.
    """
    bin_, lib = folder / "bin", folder / "lib"
    bin_.mkdir(parents=True)
    shutil.copy(build.server, bin_)
    shutil.copytree(build.server.parent.parent / "lib", lib, ignore=shutil.ignore_patterns("cmake", "pkgconfig"))
    seen = 0
    for path in (bin_ / "llama-server", *lib.iterdir()):
        content = changed = path.read_bytes()
        for old, new in changes.items():
            assert len(old) == len(new)
            changed = changed.replace(old, new)
        if changed != content:
            path.write_bytes(changed)
            seen += 1
    assert seen
    return bin_


def known_by_text(folder: Path, head: str = "{#- -#}") -> Project:
    """A project on a model whose end of a turn its file does not name: llama.cpp knows `<|im_end|>` by its text."""

    def make(target: Path) -> None:
        template = head + zoo.value(zoo.TEMPLATE)
        named = {zoo.EOS: zoo.token("<|endoftext|>"), zoo.EOT: zoo.REMOVED, zoo.TEMPLATE: template}
        zoo.rewrite(target, named)

    make(folder / "made.gguf")
    project = make_project(folder / "project", folder / "made.gguf")
    (project.suites / "greeting" / "suite.yaml").write_text(STOPS)
    from pipeline.flow.locking import make_lock

    make_lock(Session(project), "small")
    return project


def found(comparison: Comparison, subject: str) -> list[Difference]:
    return [one for one in comparison.differences if one.subject == subject]


def test_a_build_that_differs_in_nothing_that_matters_is_the_same(
    project: Project, engine_build: EngineBuild, tmp_path: Path
) -> None:
    other = built(engine_build, tmp_path / "other", {b"advanced option to override": b"advanced option to 0verride"})
    session = Session(project)
    compared = compare_engines(session, "small", other)
    assert (compared.verdict, compared.differences) == ("same", ())
    assert compared.cases == 1 and compared.prompts > 20
    first, second = compared.builds
    assert first.identity.commit == second.identity.commit
    assert first.identity.digest != second.identity.digest
    lock = session.current("small")
    for build in compared.builds:
        key = (str(lock.digest), str(build.identity.digest), str(session.hardware.digest))
        assert [run.key.stage for run in runs_of(project.database, *key)] == ["check"]
    assert decision_on_record(session, lock) is None


def test_another_commit_may_be_compared_and_a_lost_stop_token_is_worse(
    engine_build: EngineBuild, tmp_path: Path
) -> None:
    # What a release of llama.cpp once had: `<|im_emd|>` in its list of ends (llama.cpp#6745).
    other = built(engine_build, tmp_path / "other", {b"<|im_end|>": b"<|im_emd|>", COMMIT: b"abcdef0"})
    project = known_by_text(tmp_path)
    with pytest.raises(EngineError, match="the lock pins"):
        Session(project, engine_path=other).require_engine(Session(project).current("small"))
    compared = compare_engines(Session(project), "small", other)
    assert compared.builds[1].identity.commit == "abcdef0"
    (case,) = found(compared, "case")
    assert (case.name, case.change) == ("greeting/hello", "worse")
    assert case.before.startswith("pass") and case.after.startswith("fail")
    assert compared.verdict == "worse"


def test_the_way_back_is_better(engine_build: EngineBuild, tmp_path: Path) -> None:
    worse = built(engine_build, tmp_path / "other", {b"<|im_end|>": b"<|im_emd|>"})
    project = known_by_text(tmp_path)
    compared = compare_engines(Session(project, engine_path=worse), "small", engine_build.server)
    assert [one.change for one in found(compared, "case")] == ["better"]


def test_a_build_that_does_not_serve_the_model_is_worse(engine_build: EngineBuild, tmp_path: Path) -> None:
    other = built(engine_build, tmp_path / "other", {b"title\0": b"titel\0"})
    project = known_by_text(tmp_path, "{{- '' | title -}}")
    compared = compare_engines(Session(project), "small", other)
    (difference,) = found(compared, "engine")
    assert difference.change == "worse" and "was not ready" in difference.after
    (prompts,) = found(compared, "prompt")
    assert (prompts.name, prompts.change) == ("all", "worse")


def test_prompts_that_change_are_shown_and_those_that_are_refused_are_worse(
    engine_build: EngineBuild, tmp_path: Path
) -> None:
    head = "{%- if messages | length == 2 and messages[1].role == 'user' -%}{{ '' | title }}{%- endif -%}"
    other = built(engine_build, tmp_path / "other", {b"title\0": b"titel\0"})
    project = known_by_text(tmp_path, head)
    compared = compare_engines(Session(project), "small", other)
    changed = {one.name: one for one in found(compared, "prompt")}
    assert changed["asked-twice"].change == "worse"
    assert changed["asked-twice"].after.startswith("refused: ") and "title" in changed["asked-twice"].after
    # By its failure the build also takes the template for one without a system turn, and moves that into the user's.
    assert changed["system"].change == "other"
    assert "-<|im_start|>system" in changed["system"].diff
    assert "user" not in changed and compared.verdict == "worse"


def test_lint_sees_the_prompts_of_a_patched_build_of_the_same_commit(engine_build: EngineBuild, tmp_path: Path) -> None:
    head = "{%- if messages | length == 2 and messages[1].role == 'user' -%}{{ '' | title }}{%- endif -%}"
    other = built(engine_build, tmp_path / "other", {b"title\0": b"titel\0"})
    project = known_by_text(tmp_path, head)
    found = dict[str, list[Finding]]()
    for name, session in (("pinned", Session(project)), ("patched", Session(project, engine_path=other))):
        lock = session.current("small")
        fetch_all(session, [lock])
        subject = subject_stored(session.stored(lock), session.require_engine(lock))
        assert RULE.skip(subject) == ""
        found[name] = list(RULE.check(subject))
    assert found["pinned"] == []
    (moved,) = found["patched"]
    assert "'asked-twice' (and of " in moved.message
    assert moved.evidence.startswith("it was a prompt, and is refused now: Unknown (built-in) filter 'title'")


def test_the_engine_that_is_used_anyway_is_nothing_to_compare_with(project: Project, engine_build: EngineBuild) -> None:
    with pytest.raises(UsageError, match="used anyway"):
        compare_engines(Session(project), "small", engine_build.server)


def test_a_wrapper_stands_for_an_engine_with_other_defaults(engine_build: EngineBuild, tmp_path: Path) -> None:
    # An engine that fills in another value for a variable of the template, and cuts answers short.
    project = known_by_text(tmp_path, "{{- mood or 'kind' -}}\n")
    wrapper = tmp_path / "wrapped" / "bin" / "llama-server"
    wrapper.parent.mkdir(parents=True)
    more = '--chat-template-kwargs \'{"mood": "grim"}\' --reverse-prompt o'
    wrapper.write_text(f'#!/bin/sh\nexec {engine_build.server} "$@" {more}\n')
    wrapper.chmod(0o755)
    code, out, err = assay("check", "small", "--against", str(wrapper), "--json", project=project)
    assert code in (0, 1), err
    (answer,) = json.loads(out)["comparisons"]
    prompts = [one for one in answer["differences"] if one["subject"] == "prompt"]
    assert {one["change"] for one in prompts} == {"other"}
    assert "-kind<|im_start|>user" in prompts[0]["diff"] and "+grim<|im_start|>user" in prompts[0]["diff"]
    code, out, err = assay("check", "small", "--against", str(wrapper), project=project)
    assert "not the same" in out and "+grim<|im_start|>user" in out
