"""Whole files of the Berkeley Function-Calling Leaderboard on tiny-chat: every item is judged. Run by `nox -s data`."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.evals.engine import load_suite
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import jobs_of, perform
from tests.projects import edit, make_project

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "examples" / "bfcl"
COUNTS = {"bfcl-simple": 400, "bfcl-multiple": 200, "bfcl-irrelevance": 240}


@pytest.mark.skipif(find_spec("bfcl_eval") is not None, reason="the package is here")
@pytest.mark.parametrize("name", COUNTS)
def test_without_the_package_a_suite_says_what_to_install(name: str) -> None:
    with pytest.raises(UsageError, match="bfcl_eval, which is not installed here") as raised:
        load_suite(SUITES / name)
    assert raised.value.hint == "install it: pip install bfcl-eval"


@pytest.mark.data
@pytest.mark.parametrize("name", COUNTS)
def test_a_whole_file_is_judged_item_by_item(tmp_path: Path, name: str) -> None:
    project = make_project(tmp_path / "project", ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf")
    shutil.copytree(SUITES / name, project.suites / name)
    edit(project.specs / "small.yaml", "evals: [few]", f"evals: [{name}]")
    edit(project.specs / "small.yaml", "few.acc: {min: 0}", f"{name}.acc: {{min: 0}}")
    session = Session(project)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    [job] = jobs_of(session, lock, ["eval"])
    evaluation = perform(session, job).result.evaluation
    assert evaluation is not None and len(evaluation.items) == COUNTS[name]
    metrics = {metric.name: metric.value for metric in evaluation.metrics}
    verdicts = [item.detail["verdict"] for item in evaluation.items]
    assert metrics["acc"] == verdicts.count("right") / COUNTS[name]
    assert metrics["unknown"] == verdicts.count("unknown")
    for item in evaluation.items:
        assert item.detail["verdict"] == "right" or item.detail["reason"], item.id
        called = len(item.detail.get("calls", ()))
        if name == "bfcl-irrelevance":
            assert (item.detail["verdict"] == "right") <= (called == 0), json.dumps(item.detail)
        else:
            assert (item.detail["verdict"] == "right") <= (called == 1), json.dumps(item.detail)
