"""The example catalog, from its specs to its decisions: what is sound is accepted, each fault is rejected for itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.core.project import Project
from pipeline.flow.catalog import Entry, State, catalog
from pipeline.flow.locking import make_locks
from pipeline.flow.run import run
from pipeline.flow.session import Session
from pipeline.flow.site import refresh
from pipeline.runtime.build import EngineBuild

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.real  # a minute and more


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalog_example", ROOT / "examples/catalog/make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(engine_build: EngineBuild, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, with the base model where its file is there."""
    folder, made = tmp_path_factory.mktemp("catalog") / "project", example()
    gemma = made.GEMMA if made.GEMMA.is_file() else None
    made.make(folder, engine_build, gemma=gemma, budget=0)
    return Project(folder)


@pytest.fixture(scope="module")
def judged(project: Project) -> dict[str, Entry]:
    """Every model of the example after its main job."""
    session = Session(project)
    names = session.names(())
    make_locks(session, names)
    for name in names:
        ran = run(session, name)
        assert ran.error is None, ran.error
    refresh(session)
    return {entry.name: entry for entry in catalog(session, names)}


def test_what_is_sound_is_accepted(judged: dict[str, Entry]) -> None:
    for name in example().SOUND:
        assert judged[name].state is State.ACCEPTED, judged[name]


@pytest.mark.parametrize(("name", "code"), [("wrong-eos", "A201"), ("loses-results", "A105"), ("no-template", "A101")])
def test_each_fault_is_rejected_for_itself(judged: dict[str, Entry], name: str, code: str) -> None:
    entry = judged[name]
    assert entry.state is State.REJECTED and entry.decision is not None
    (why,) = entry.why
    assert why.startswith(
        f"fail lint: nothing worse than info and policy lint: nothing worse than warning: {code} (error): "
    )
    broken = [one for one in entry.decision.reasons if not one.holds]
    assert {one.rule.removeprefix("policy ").partition(":")[0] for one in broken} == {"lint"}
    assert f"assay lint {name}" in entry.fix


def test_a_base_model_is_accepted_for_what_it_can_do(judged: dict[str, Entry]) -> None:
    base = example().BASE
    if base not in judged:
        pytest.skip("gemma-3-270m is not there: nox -s real fetches it")
    entry = judged[base]
    assert entry.state is State.ACCEPTED and entry.decision is not None, entry
    rules = {one.rule.partition(":")[0]: one for one in entry.decision.reasons}
    assert {"general-choice.acc", "plain-text.perplexity"} <= rules.keys() and not any(
        "check" in rule for rule in rules
    )
    assert "of apache-2.0, gemma: gemma" in "".join(f"{one.rule}: {one.message}" for one in entry.decision.reasons)


def test_the_page_of_the_catalog_shows_every_verdict_with_its_reason(
    project: Project, judged: dict[str, Entry]
) -> None:
    index = (project.reports / "index.html").read_text()
    rows = {name: index[index.index(f'href="{name}.html"') :].partition("</tr>")[0] for name in judged}
    codes = {"wrong-eos": "A201", "loses-results": "A105", "no-template": "A101"}
    for name, row in rows.items():
        assert ("badge fail" in row, "badge pass" in row) == (name in codes, name not in codes), name
        assert codes.get(name, "<td") in row and "earlier decision" not in row
    assert "tiny-facts.acc against" in index
    page = (ROOT / "reports" / "README.md").read_text()
    told = {cells[1].strip("` "): cells for line in page.splitlines() if len(cells := line.split("|")) == 6}
    for name, entry in judged.items():
        assert told[name][3].strip() == entry.state and codes.get(name, "") in told[name][4]


def test_a_quantized_model_is_measured_against_what_it_was_made_of(judged: dict[str, Entry]) -> None:
    decision = judged["tiny-q4"].decision
    assert decision is not None
    assert any(reason.rule == "eval suite kl: run" and reason.verdict == "pass" for reason in decision.reasons)
