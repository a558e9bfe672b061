from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core.errors import LockOutOfDate, NetworkError, UsageError
from pipeline.core.project import Project
from pipeline.flow.linting import Choice, kind_of, lint_all
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of
from pipeline.lint.formats._base import Linted, fingerprint
from pipeline.lint.model import Stage
from pipeline.lock.load import write_lock
from pipeline.runtime.build import EngineBuild, EngineIdentity
from tests import zoo
from tests.hubs.huggingface import hub
from tests.projects import edit


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A file with an error (A201) and, without a spec, nothing else."""
    path = tmp_path / "faulty.gguf"
    zoo.changed(tokenizer__ggml__eos_token_id=zoo.token("a"))(path)
    return path


def codes(result: Linted) -> list[str]:
    return [finding.code for finding in result.findings]


def test_what_a_target_is(faulty: Path, tmp_path: Path) -> None:
    other = tmp_path / "weights.bin"
    other.write_bytes(faulty.read_bytes())
    assert [kind_of(target) for target in ("tiny-chat", "specs/tiny-chat.yaml")] == ["spec", "spec"]
    assert [kind_of(target) for target in ("a.gguf", "models/a.bin", str(other), "/dev/null")] == ["file"] * 4
    assert kind_of("hf://org/big:Q8_0") == "reference"


def test_a_model_is_judged_before_it_is_downloaded(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub() as upstream:
        monkeypatch.setenv("HF_ENDPOINT", upstream.url)
        padded = faulty.with_name("big-Q8_0.gguf")
        padded.write_bytes(faulty.read_bytes() + bytes(64 << 20))
        upstream.add_repo("org/big", {"big-Q8_0.gguf": padded})
        (found,) = lint_all(None, ["hf://org/big:Q8_0"], Path(), Choice())
        commit = upstream.repos["org/big"].branches["main"]
        ranges = [request.range for request in upstream.requests if request.server == "cdn"]
    assert found.file == f"hf://org/big@{commit}/big-Q8_0.gguf" and "A201" in codes(found) and not found.accepted
    assert ranges == ["bytes=0-1048575"], "the weights stay where they are"


def test_a_locked_model_is_judged_by_its_header_until_its_weights_are_here(
    project: Project, faulty: Path, engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, choice = Session(project), Choice(engine=engine_build)
    with hub() as upstream:
        monkeypatch.setenv("HF_ENDPOINT", upstream.url)
        padded = faulty.with_name("big-Q8_0.gguf")
        padded.write_bytes(faulty.read_bytes() + bytes(64 << 20))
        upstream.add_repo("org/big", {"big-Q8_0.gguf": padded})
        edit(project.specs / "small.yaml", "file:../models/small.gguf", "hf://org/big:Q8_0")
        lock = make_lock(session, "small").lock
        upstream.requests.clear()
        (found,) = lint_all(session, ["small"], project.root, choice)
        ranges = [request.range for request in upstream.requests if request.server == "cdn"]
        assert "A201" in codes(found) and found.file.endswith("small.yaml")
        assert ranges == ["bytes=0-1048575"] and not session.store.has(lock.weights.digest)

        claimed = lock.model_copy(update={"gguf": lock.gguf | {"quantization": "Q4_K_M"}})
        write_lock(project, claimed)
        with pytest.raises(LockOutOfDate, match="says other things"):
            lint_all(session, ["small"], project.root, choice)
        write_lock(project, lock)
        with pytest.raises(NetworkError):
            lint_all(Session(project, offline=True), ["small"], project.root, choice)

        fetch_all(session, [lock])
        (whole,) = lint_all(session, ["small"], project.root, choice)
    assert (codes(found), dict(found.not_evaluated)) == (codes(whole), dict(whole.not_evaluated)), (
        "the engine was asked too"
    )


def test_rules_are_chosen_by_how_they_begin(faulty: Path) -> None:
    def found(select: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> list[str]:
        return codes(lint_all(None, [str(faulty)], Path(), Choice(select, ignore))[0])

    assert "A201" in found() and "A201" in found(select=("a2",)) and found(select=("A3",)) == []
    assert "A201" not in found(ignore=("A201",)) and "A201" not in found(select=("A2",), ignore=("A20",))
    for wrong in ({"select": ("B",)}, {"ignore": ("A299",)}):
        with pytest.raises(UsageError, match="no rule begins with"):
            found(**wrong)


def test_what_is_in_the_baseline_counts_no_more(faulty: Path) -> None:
    (first,) = lint_all(None, [str(faulty)], Path(), Choice())
    known = frozenset(fingerprint(str(faulty), finding) for finding in first.findings)
    (again,) = lint_all(None, [str(faulty)], Path(), Choice(baseline=known))
    assert not first.accepted and again.accepted and again.findings == again.known == first.findings


def test_a_rule_that_can_not_judge_is_named(project: Project) -> None:
    path = project.specs / "small.yaml"
    path.write_text(path.read_text() + "profile: completion\n")
    session = Session(project)
    make_lock(session, "small")
    (found,) = lint_all(session, ["small"], project.root, Choice())
    assert found.accepted and "A103" in found.not_evaluated and found.file.endswith("small.yaml")
    (few,) = lint_all(session, ["small"], project.root, Choice(select=("A2",)))
    assert "A103" not in few.not_evaluated


def test_a_spec_needs_a_project_and_a_file_does_not(faulty: Path) -> None:
    with pytest.raises(UsageError, match="no project here"):
        lint_all(None, ["small"], Path(), Choice())
    with pytest.raises(UsageError, match="no source knows"):
        lint_all(None, ["gopher://x"], Path(), Choice())
    assert lint_all(None, [str(faulty.rename(faulty.with_suffix("")))], Path(), Choice())[0].findings


def test_what_is_ignored_for_a_while_counts_again_after(project: Project) -> None:
    zoo.changed(tokenizer__ggml__eos_token_id=zoo.token("a"))(project.root / "models" / "small.gguf")
    path, session = project.specs / "small.yaml", Session(project)
    today = datetime.now(UTC).date()
    path.write_text(
        path.read_text() + f"lint: {{ignore: [{{code: A201, reason: known, until: {today + timedelta(days=1)}}}]}}\n"
    )
    make_lock(session, "small")
    assert "A201" not in codes(lint_all(session, ["small"], project.root, Choice())[0])
    (before,) = jobs_of(session, session.current("small"), ["lint"])
    edit(path, str(today + timedelta(days=1)), str(today - timedelta(days=1)))
    make_lock(session, "small")
    assert "A201" in codes(lint_all(session, ["small"], project.root, Choice())[0])
    (after,) = jobs_of(session, session.current("small"), ["lint"])
    assert before.key.subject_digest != after.key.subject_digest, "a result from before does not count any more"


def engine_defect(folder: Path) -> Path:
    """A file with a fault that only the engine shows."""
    path = folder / "refused.gguf"
    zoo.DEFECTS["suppressed-tokens-are-text"].make(path)
    return path


def test_the_engine_is_asked_where_there_is_one(tmp_path: Path, engine_build: EngineBuild) -> None:
    path = str(engine_defect(tmp_path))
    (without,) = lint_all(None, [path], Path(), Choice())
    assert without.accepted and without.not_evaluated["A601"] == "there is no engine to ask: assay doctor says why"
    (asked,) = lint_all(None, [path], Path(), Choice(engine=engine_build, upto=Stage.HOLLOW))
    assert codes(asked) == ["A601"] and not asked.accepted and "A601" not in asked.not_evaluated


def test_a_stage_is_the_last_that_is_asked(tmp_path: Path, engine_build: EngineBuild) -> None:
    path = str(engine_defect(tmp_path))
    (header,) = lint_all(None, [path], Path(), Choice(engine=engine_build, upto=Stage.HEADER))
    assert header.accepted and header.not_evaluated["A601"] == "the stage vocabulary was not asked for"
    (vocabulary,) = lint_all(None, [path], Path(), Choice(engine=engine_build, upto=Stage.VOCABULARY))
    assert codes(vocabulary) == ["A601"]
    assert vocabulary.not_evaluated["A611"] == "the stage hollow was not asked for"


def test_an_engine_that_no_chosen_rule_asks_is_left_alone(tmp_path: Path) -> None:
    nowhere = EngineBuild(tmp_path / "llama-server", EngineIdentity("0", "0", (), {}))
    (found,) = lint_all(None, [str(zoo.SOUND)], Path(), Choice(select=("A1", "A2"), engine=nowhere))
    assert found.accepted and found.not_evaluated == {}


def test_a_header_at_its_origin_is_enough_for_the_engine(
    tmp_path: Path, engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.DEFECTS["text-before-continue"].make(tmp_path / "odd-Q8_0.gguf")
    with hub() as upstream:
        monkeypatch.setenv("HF_ENDPOINT", upstream.url)
        padded = tmp_path / "big-Q8_0.gguf"
        padded.write_bytes((tmp_path / "odd-Q8_0.gguf").read_bytes() + bytes(64 << 20))
        upstream.add_repo("org/big", {"big-Q8_0.gguf": padded}, license="apache-2.0")
        (found,) = lint_all(None, ["hf://org/big:Q8_0"], Path(), Choice(engine=engine_build, upto=Stage.HOLLOW))
        ranges = [request.range for request in upstream.requests if request.server == "cdn"]
    assert codes(found) == ["A612"] and ranges == ["bytes=0-1048575"]


def test_a_spec_is_judged_with_its_corrections(project: Project, engine_build: EngineBuild) -> None:
    zoo.DEFECTS["eos-after-prompts"].make(project.root / "models" / "small.gguf")
    path, session = project.specs / "small.yaml", Session(project)
    make_lock(session, "small")
    choice = Choice(engine=engine_build, upto=Stage.HOLLOW)
    assert codes(lint_all(session, ["small"], project.root, choice)[0]) == ["A213"]
    edit(path, "engine: {", "engine: {overrides: {tokenizer.ggml.add_eos_token: false}, ")
    make_lock(session, "small")
    assert codes(lint_all(session, ["small"], project.root, choice)[0]) == []


def test_the_main_job_asks_the_engine_too(project: Project) -> None:
    zoo.DEFECTS["thinking-forced-off"].make(project.root / "models" / "small.gguf")
    session = Session(project)
    make_lock(session, "small")
    fetch_all(session, [session.current("small")])
    (done,) = do(session, jobs_of(session, session.current("small"), ["lint"]))
    assert "A615" in [finding.code for finding in done.run.result.findings]


def test_many_files_are_judged_each_for_itself_and_told_in_order(faulty: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        paths += [shutil.copy(path, tmp_path / f"{path.stem}-{number}.gguf") for path in (zoo.SOUND, faulty)]
    for number in range(3):
        path = tmp_path / f"greeting-{number}.gguf"
        zoo.led(f"{{{{- 'Greeting {number}' -}}}}{{{{ raise_exception('no {number}') }}}}")(path)
        paths.append(path)
    found = lint_all(None, [str(path) for path in (*paths, paths[0])], Path(), Choice())
    assert [result.target for result in found] == [str(path) for path in paths], "each once"
    assert [set(codes(result)) for result in found[:8]] == [set(), {"A201"}] * 4
    for number, result in enumerate(found[8:]):
        assert [f"no {number}" in finding.message for finding in result.findings] == [True]
    (tmp_path / "cut.gguf").write_bytes(zoo.SOUND.read_bytes()[:500])
    with pytest.raises(UsageError, match=r"cut\.gguf"):
        lint_all(None, [str(zoo.SOUND), str(tmp_path / "cut.gguf"), str(zoo.SOUND)], Path(), Choice())
