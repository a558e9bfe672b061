from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.engine import Model, load_suite, run_suite, scoring
from pipeline.evals.harness import require, run_tasks
from pipeline.evals.kinds import lm_eval

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
INSTALLED = importlib.util.find_spec("lm_eval") is not None
harness = pytest.mark.skipif(
    not INSTALLED, reason="run by `nox -s harness`: the LM Evaluation Harness is not installed"
)
# What its libraries do is not ours to judge.
pytestmark = pytest.mark.filterwarnings("default")
DATA = "task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/items.jsonl}}}}\ntest_split: test\n"
CHOICES = """\
output_type: multiple_choice
fewshot_split: test
num_fewshot: 2
fewshot_config: {sampler: first_n}
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 1.0}
"""


def task(folder: Path, name: str, rest: str) -> Path:
    rows = (ROOT / "evals" / "tiny-facts" / "items.jsonl").read_text().splitlines()[:60]
    (folder / "items.jsonl").write_text("\n".join(rows))
    path = folder / f"{name}.yaml"
    path.write_text(DATA.format(name=name, folder=folder) + rest)
    return path


@pytest.mark.skipif(INSTALLED, reason="the LM Evaluation Harness is installed")
def test_where_it_is_not_installed_it_is_said_how_to_get_it() -> None:
    with pytest.raises(UsageError, match="is not installed here") as raised:
        require()
    assert "model-assay[lm-eval]" in raised.value.hint


@harness
def test_its_own_scoring_and_ours_decide_alike(tmp_path: Path) -> None:
    """The same task file, read by the harness and by our kind: the same prompts, sums, predictions and shares."""
    path = task(tmp_path, "facts", CHOICES)
    content = {**lm_eval.EXAMPLE, "task": path.name, "data": {}}
    (tmp_path / "suite.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items()))
    ours = run_suite(load_suite(tmp_path), Model(WEIGHTS), threads=1)
    with scoring(Model(WEIGHTS), threads=1) as scorer:
        [(theirs, digest)] = run_tasks([str(path)], scorer, answers={}, progress=SILENT).results
        [(_, again)] = run_tasks([str(path)], scorer, answers={}, progress=SILENT).results
        [(_, fewer)] = run_tasks([str(path)], scorer, answers={}, limit=9, progress=SILENT).results
    assert digest == again != fewer
    assert len(ours.items) == len(theirs.items) == 60
    for mine, its in zip(ours.items, theirs.items, strict=True):
        assert mine.detail["prompt"] == its.detail["prompt"]
        assert [choice["logprob"] for choice in mine.detail["choices"]] == pytest.approx(
            [choice["logprob"] for choice in its.detail["choices"]], abs=1e-5
        )
        assert mine.detail["picked"] == its.detail["picked"] or mine.detail["unstable"]
        assert mine.score == its.score or mine.detail["unstable"]
    share = {metric.name: metric.value for metric in ours.metrics}
    assert {metric.name: metric.value for metric in theirs.metrics} == {
        "acc": pytest.approx(share["acc"]),
        "acc_norm": pytest.approx(share["acc_norm"]),
    }


@harness
def test_what_is_to_be_written_is_handed_out_and_taken_back(tmp_path: Path) -> None:
    path = task(
        tmp_path,
        "written",
        'output_type: generate_until\ndoc_to_text: "{{question}}"\ndoc_to_target: "{{choices[answer]}}"\n'
        'generation_kwargs: {until: ["\\n"], max_gen_toks: 4}\nmetric_list: [{metric: exact_match}]\n',
    )
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    with scoring(Model(WEIGHTS), threads=1) as scorer:
        wanted = run_tasks([str(path)], scorer, answers={}, progress=SILENT).wanted
        assert sorted(body["prompt"] for body in wanted.values()) == sorted(row["question"] for row in rows)
        answers = dict.fromkeys(wanted, f"{rows[0]['choices'][rows[0]['answer']]}\nmore")
        [(result, _)] = run_tasks([str(path)], scorer, answers=answers, progress=SILENT).results
    right = sum(row["choices"][row["answer"]] == rows[0]["choices"][rows[0]["answer"]] for row in rows)
    assert result.metrics[0].name.startswith("exact_match")
    assert result.metrics[0].value == pytest.approx(right / len(rows))
    assert sum(item.score for item in result.items) == right


@harness
def test_a_task_that_is_not_there_is_an_error_of_the_user(tmp_path: Path) -> None:
    with scoring(Model(WEIGHTS), threads=1) as scorer, pytest.raises(UsageError, match="can't run nowhere"):
        run_tasks(["nowhere.yaml"], scorer, answers={}, progress=SILENT)
