from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.flow import fixing
from pipeline.flow.fixing import fix
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.lint.engine import lint as really
from pipeline.lint.model import Finding, Severity
from pipeline.lint.subject import Subject
from pipeline.runtime.server import running
from tests import zoo
from tests.hubs.huggingface import hub
from tests.projects import edit, make_project

DAY = date(2026, 3, 14)
LEFT = """\
# Written by hand.
name: small          # the name
source: file:../models/small.gguf
license:
  allow:
    - apache-2.0     # as its card says

engine:
  context: 1024      # enough
  threads: 1
sampling: {max_tokens: 40}
"""


def broken(folder: Path, defect: str) -> Session:
    """A locked project on a file of the zoo, its spec written with comments."""
    zoo.DEFECTS[defect].make(folder / "broken.gguf")
    project = make_project(folder / "project", folder / "broken.gguf")
    (project.specs / "small.yaml").write_text(LEFT)
    make_lock(Session(project), "small")
    return Session(project)


def answer(session: Session) -> dict[str, Any]:
    """What the locked model answers through the real server."""
    lock = session.current("small")
    fetch_all(session, [lock])
    stored = session.stored(lock)
    with running(session.engine, lock, weights=stored.weights, template=stored.template, threads=1) as server:
        asked = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 40}
        choice: dict[str, Any] = server.client.post("/v1/chat/completions", json=asked).json()["choices"][0]
        prompt = server.client.post("/apply-template", json={"messages": asked["messages"]}).json()["prompt"]
        tokens = server.client.post("/tokenize", json={"content": prompt, "add_special": True, "parse_special": True})
        return {**choice, "prompt": prompt, "tokens": tokens.json()["tokens"]}


def test_an_answer_that_runs_away_stops_after_the_fix(tmp_path: Path) -> None:
    session = broken(tmp_path, "end-of-turn-not-named")
    before = answer(session)
    fixed = fix(session, "small", today=DAY)
    assert [(one.code, one.severity) for one in fixed.mended] == [("A201", Severity.ERROR)]
    assert (session.project.specs / "small.yaml").read_text() == LEFT.replace(
        "  threads: 1\n", f"  threads: 1\n  overrides:\n    tokenizer.ggml.eot_token_id: {zoo.token('<|im_end|>')}\n"
    )
    changed = make_lock(session, "small").changes
    assert {change.path for change in changed} >= {"spec.engine.overrides.tokenizer.ggml.eot_token_id", "argv"}
    after = answer(session)
    assert (before["finish_reason"], after["finish_reason"]) == ("length", "stop")
    assert "<|fin|>" not in after["message"]["content"]
    assert fix(session, "small", today=DAY).files == ()


@pytest.mark.parametrize(
    ("defect", "code"),
    [
        ("eos-missing", "A201"),
        ("eos-outside-vocabulary", "A201"),
        ("eos-is-a-word", "A201"),
        ("eos-opens-turns", "A201"),
        ("call-ends-with-a-token-not-named", "A204"),
        ("eos-after-prompts", "A213"),
        ("id-of-another-type", "A302"),
        ("template-writes-bos-twice", "A202"),
        ("generation-prompt-space", "A113"),
        ("template-placeholder", "A124"),
    ],
)
def test_a_mended_spec_is_clean_once_it_is_locked(tmp_path: Path, defect: str, code: str) -> None:
    session = broken(tmp_path, defect)
    fixed = fix(session, "small", today=DAY)
    assert code in [one.code for one in fixed.mended]
    make_lock(session, "small")
    again = fix(session, "small", today=DAY)
    assert (again.files, again.left) == ((), fixed.left)
    assert code not in [one.code for one in again.left]
    assert fixed.accepted


def test_tokens_that_were_added_to_every_prompt_are_so_no_longer(tmp_path: Path) -> None:
    session = broken(tmp_path, "eos-after-prompts")
    end = zoo.value(zoo.EOS)
    before = answer(session)
    fix(session, "small", today=DAY)
    make_lock(session, "small")
    assert before["tokens"] == [*answer(session)["tokens"], end]


def test_a_corrected_template_is_written_beside_the_spec_and_served(tmp_path: Path) -> None:
    session = broken(tmp_path, "template-writes-bos-twice")
    bos = zoo.value("tokenizer.ggml.bos_token_id")
    assert answer(session)["tokens"].count(bos) == 2
    fix(session, "small", today=DAY)
    written = session.project.specs / "small.fixed.jinja"
    assert written.read_text() == "{{ bos_token }}" + zoo.value(zoo.TEMPLATE)
    assert "template: small.fixed.jinja" in (session.project.specs / "small.yaml").read_text()
    make_lock(session, "small")
    assert answer(session)["tokens"].count(bos) == 1


def test_infos_are_mended_only_when_they_are_named(tmp_path: Path) -> None:
    session = broken(tmp_path, "template-windows-line-ends")
    assert fix(session, "small", today=DAY).files == ()
    fixed = fix(session, "small", codes=["A125"], today=DAY)
    assert fixed.files[0].after == zoo.value(zoo.TEMPLATE)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    session = broken(tmp_path, "generation-prompt-space")
    before = {path: path.read_bytes() for path in session.project.specs.iterdir()}
    fixed = fix(session, "small", write=False, today=DAY)
    assert not fixed.written
    assert "+  template: small.fixed.jinja" in fixed.files[1].diff
    assert "-    {{- '<|im_start|>assistant\\n ' -}}" in fixed.files[0].diff
    assert {path: path.read_bytes() for path in session.project.specs.iterdir()} == before


def test_a_template_that_somebody_wrote_is_not_overwritten(tmp_path: Path) -> None:
    session = broken(tmp_path, "generation-prompt-space")
    target = session.project.specs / "small.fixed.jinja"
    target.write_text("mine")
    with pytest.raises(UsageError, match="exists and is another template"):
        fix(session, "small", today=DAY)
    assert target.read_text() == "mine"
    assert (session.project.specs / "small.yaml").read_text() == LEFT
    assert fix(session, "small", force=True, today=DAY).written
    assert target.read_text() == zoo.value(zoo.TEMPLATE)


def test_what_takes_judgement_is_left_with_words(tmp_path: Path) -> None:
    session = broken(tmp_path, "turns-do-not-end")
    fixed = fix(session, "small", today=DAY)
    assert (fixed.mended, fixed.files, fixed.accepted) == ((), (), False)
    assert all(one.fix for one in fixed.left)


def test_a_sound_model_has_nothing_to_mend(project: Project) -> None:
    before = (project.specs / "small.yaml").read_bytes()
    fixed = fix(Session(project), "small", today=DAY)
    assert (fixed.mended, fixed.left, fixed.files, fixed.accepted) == ((), (), (), True)
    assert (project.specs / "small.yaml").read_bytes() == before


def test_a_lock_that_is_out_of_date_is_not_mended(project: Project) -> None:
    from pipeline.core.errors import LockOutOfDate

    edit(project.specs / "small.yaml", "context: 1024", "context: 512")
    with pytest.raises(LockOutOfDate):
        fix(Session(project), "small", today=DAY)


def test_a_model_of_a_hub_is_mended_and_its_prompts_are_pinned_before_its_weights_are_here(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.DEFECTS["end-of-turn-not-named"].make(tmp_path / "small-Q8_0.gguf")
    with hub() as upstream:
        monkeypatch.setenv("HF_ENDPOINT", upstream.url)
        upstream.add_repo("org/small-GGUF", {"small-Q8_0.gguf": tmp_path / "small-Q8_0.gguf"}, license="apache-2.0")
        edit(project.specs / "small.yaml", "file:../models/small.gguf", "hf://org/small-GGUF:Q8_0")
        session = Session(project)
        lock = make_lock(session, "small").lock
        assert [one.code for one in fix(session, "small", today=DAY).mended] == ["A201"]
        assert lock.prompts and not session.store.has(lock.weights.digest)


def test_a_spec_that_is_edited_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = broken(tmp_path, "end-of-turn-not-named")
    spec, judge = session.project.specs / "small.yaml", really

    def lint(subject: Subject) -> tuple[Finding, ...]:
        spec.write_text(LEFT + "# one more word\n")
        return judge(subject)

    monkeypatch.setattr(fixing, "lint", lint)
    with pytest.raises(UsageError, match="was changed while"):
        fix(session, "small", today=DAY)
    assert spec.read_text() == LEFT + "# one more word\n"


def test_a_spec_keeps_its_mode(tmp_path: Path) -> None:
    session = broken(tmp_path, "end-of-turn-not-named")
    spec = session.project.specs / "small.yaml"
    spec.chmod(0o600)
    assert fix(session, "small", today=DAY).written
    assert spec.stat().st_mode & 0o777 == 0o600
