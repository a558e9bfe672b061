from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.flow.harness import run_harness
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.record.read import run_by_id
from tests.evals.test_harness import CHOICES, INSTALLED, harness, task
from tests.projects import assay, make_project

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
WRITTEN = (
    'output_type: generate_until\ndoc_to_text: "{{question}}"\ndoc_to_target: "{{choices[answer]}}"\n'
    'generation_kwargs: {until: ["\\n"], max_gen_toks: 4}\nmetric_list: [{metric: exact_match}]\n'
)


@harness
def test_a_task_becomes_a_run_on_record(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WEIGHTS)
    path = task(project.root / "evals", "facts", CHOICES)
    code, out, err = assay("eval", "small", "--lm-eval", str(path), "--limit", "8", "--json", project=project)
    assert code == 0, err
    [run] = json.loads(out)["runs"]
    assert (run["subject"], run["stage"], len(run["items"])) == ("lm-eval:facts", "eval", 8)
    kept = run_by_id(project.database, run["id"])
    assert kept and kept.result.evaluation and kept.result.evaluation.items[0].detail["choices"]


@harness
def test_what_a_task_wants_written_the_locked_server_writes(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WEIGHTS)
    path = task(project.root / "evals", "written", WRITTEN)
    session = Session(project)
    lock = session.current("small")
    fetch_all(session, [lock])
    [done] = run_harness(session, lock, [str(path)], limit=4)
    assert "llama-server" in done.run.argv[0]
    assert done.run.result.evaluation and len(done.run.result.evaluation.items) == 4
    assert all(item.detail["response"] for item in done.run.result.evaluation.items)


@pytest.mark.skipif(INSTALLED, reason="the LM Evaluation Harness is installed")
def test_nothing_is_started_where_it_is_not_installed(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WEIGHTS)
    session = Session(project)
    with pytest.raises(UsageError, match="is not installed here"):
        run_harness(session, session.current("small"), ["facts"])
    code, _, err = assay("eval", "small", "--limit", "3", project=project)
    assert code == 2 and "--tasks and --limit go with --lm-eval" in err
