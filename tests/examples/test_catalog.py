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
def judged(engine_build: EngineBuild, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Entry]:
    """Every model of the example after its main job."""
    folder = tmp_path_factory.mktemp("catalog") / "project"
    names = example().make(folder, engine_build, budget=0)
    session = Session(Project(folder))
    make_locks(session, names)
    for name in names:
        ran = run(session, name)
        assert ran.error is None, ran.error
    return {entry.name: entry for entry in catalog(session, names)}


def test_what_is_sound_is_accepted(judged: dict[str, Entry]) -> None:
    for name in example().SOUND:
        assert judged[name].state is State.ACCEPTED, judged[name]


@pytest.mark.parametrize(("name", "code"), [("wrong-eos", "A201"), ("loses-results", "A105"), ("no-template", "A101")])
def test_each_fault_is_rejected_for_itself(judged: dict[str, Entry], name: str, code: str) -> None:
    entry = judged[name]
    assert entry.state is State.REJECTED
    lint = [why for why in entry.why if why.startswith("fail lint")]
    assert len(lint) == 1 and code in lint[0]
    assert f"assay lint {name}" in entry.fix


def test_a_quantized_model_is_measured_against_what_it_was_made_of(judged: dict[str, Entry]) -> None:
    decision = judged["tiny-q4"].decision
    assert decision is not None
    assert any(reason.rule == "eval suite kl: run" and reason.verdict == "pass" for reason in decision.reasons)
