from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import SpecError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds import lm_eval
from pipeline.evals.kinds.lm_eval import EXAMPLE, Config, load, measure
from pipeline.evals.model import Item, Metric
from pipeline.runtime.binding import Scorer

WEIGHTS = Path(__file__).parents[3] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
# As a task of the harness is written: templates, an index for an answer, examples from another split.
TASK = """\
task: capitals
tag: [geography]
dataset_path: json
dataset_kwargs:
  data_files: {test: /somewhere/else/items.jsonl}
output_type: multiple_choice
test_split: test
fewshot_split: train
num_fewshot: 2
fewshot_config: {sampler: first_n}
description: "These are questions on {{subject}}.\\n\\n"
doc_to_text: "Question: {{question.strip()}}\\nAnswer:"
doc_to_choice: "{{[a, b, c]}}"
doc_to_target: "{{['a', 'b', 'c'].index(right)}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm}
metadata: {version: 1.0}
"""
DOCS = [
    {
        "subject": "capitals",
        "question": f" What is the capital of {land}? ",
        "a": "Paris",
        "b": "Rome",
        "c": "Oslo",
        "right": right,
    }
    for land, right in [("France", "a"), ("Italy", "b"), ("Norway", "c")]
]
SHOTS = [{**doc, "question": doc["question"].replace("capital", "main city")} for doc in DOCS]


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def suite(
    folder: Path, task: str = TASK, docs: list[dict[str, Any]] = DOCS, shots: list[dict[str, Any]] = SHOTS
) -> Config:
    (folder / "task.yaml").write_text(task)
    for name, rows in (("items", docs), ("shots", shots)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Config.model_validate(EXAMPLE | {"data": {"train": "shots.jsonl"}})


def measured(config: Config, folder: Path, scorer: Scorer) -> tuple[dict[str, Metric], tuple[Item, ...]]:
    metrics, items = measure(config, load(config, folder), scorer, SILENT)
    return {metric.name: metric for metric in metrics}, items


def test_a_task_is_asked_as_the_harness_asks_it(tmp_path: Path, scorer: Scorer) -> None:
    metrics, items = measured(suite(tmp_path), tmp_path, scorer)
    assert items[1].detail["prompt"] == (
        "These are questions on capitals.\n\n"
        "Question: What is the main city of France?\nAnswer: Paris\n\n"
        "Question: What is the main city of Italy?\nAnswer: Rome\n\n"
        "Question: What is the capital of Italy?\nAnswer:"
    )
    assert [item.detail["answer"] for item in items] == [0, 1, 2]
    assert [choice["text"] for choice in items[0].detail["choices"]] == ["Paris", "Rome", "Oslo"]
    assert metrics["acc"].n == 3 and metrics["unknown"].value == 0


def test_examples_of_the_same_split_leave_the_item_itself_out(tmp_path: Path, scorer: Scorer) -> None:
    task = TASK.replace("fewshot_split: train", "fewshot_split: test")
    _, items = measured(suite(tmp_path, task), tmp_path, scorer)
    lands = [[land for land in ("France", "Italy", "Norway") if land in item.detail["prompt"]] for item in items]
    assert lands == [["France", "Italy", "Norway"], ["France", "Italy", "Norway"], ["France", "Italy", "Norway"]]
    assert [item.detail["prompt"].count("Italy") for item in items] == [1, 1, 1]


def test_samples_stand_in_the_task_itself(tmp_path: Path, scorer: Scorer) -> None:
    task = TASK.replace("{sampler: first_n}", "{sampler: first_n, samples: " + json.dumps(SHOTS[1:]) + "}")
    _, items = measured(suite(tmp_path, task), tmp_path, scorer)
    assert (
        "main city of Italy" in items[0].detail["prompt"] and "France?\nAnswer: Paris" not in items[0].detail["prompt"]
    )


@pytest.mark.parametrize("target", ["right", "{{right}}"])
def test_an_answer_is_named_by_its_text_or_number(tmp_path: Path, scorer: Scorer, target: str) -> None:
    task = TASK[: TASK.index("doc_to_target")] + f'doc_to_target: "{target}"\nmetadata: x\n'
    for rights in (["Paris", "Rome", "Oslo"], [0, 1, 2]):
        docs = [{**doc, "right": right} for doc, right in zip(DOCS, rights, strict=True)]
        _, items = measured(suite(tmp_path, task, docs, docs), tmp_path, scorer)
        assert [item.detail["answer"] for item in items] == [0, 1, 2]


def test_acc_norm_counts_characters(tmp_path: Path, scorer: Scorer) -> None:
    docs = [{**DOCS[0], "a": "Pâââââris", "b": "Rome", "c": "Oslo"}]
    _, (item,) = measured(suite(tmp_path, TASK.replace("num_fewshot: 2", "num_fewshot: 0"), docs), tmp_path, scorer)
    sums = [choice["logprob"] for choice in item.detail["choices"]]
    per = [total / len(text) for total, text in zip(sums, ("Pâââââris", "Rome", "Oslo"), strict=True)]
    assert item.detail["picked_norm"] == per.index(max(per))


def test_a_log_likelihood_task_tells_what_the_model_would_write(tmp_path: Path, scorer: Scorer) -> None:
    task = """\
task: next
dataset_path: json
dataset_kwargs: {data_files: items.jsonl}
output_type: loglikelihood
validation_split: validation
doc_to_text: text
doc_to_target: " {{word}}"
metric_list: [{metric: perplexity, aggregation: perplexity}, {metric: acc}]
"""
    docs = [{"text": "What is the capital of", "word": "France"}, {"text": "What is the capital of", "word": "zzz qqq"}]
    docs.append({"text": "long " * 3000, "word": "x"})
    metrics, items = measured(suite(tmp_path, task, docs), tmp_path, scorer)
    assert [item.detail["verdict"] for item in items][1:] == ["wrong", "unknown"]
    assert items[0].detail["logprob"] > items[1].detail["logprob"]
    assert metrics["perplexity"].n == 2 and metrics["unknown"].value == 1
    greedy = sum(item.score for item in items)
    assert metrics["acc"].value == greedy / 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("first_n", "default", "first_n"),
        ("fewshot_config: {sampler: first_n}\n", "", "draws other examples for each item"),
        ("output_type: multiple_choice", "output_type: generate_until", "output_type"),
        ("dataset_path: json", "dataset_path: cais/mmlu", "dataset_path"),
        ("metadata:", "process_docs: !function utils.process\nmetadata:", "tag"),
        ("metadata:", "filter_list: []\nmetadata:", "unknown key 'filter_list'"),
        ("{{[a, b, c]}}", "{{a}}", "item 1: doc_to_choice gives 'Paris'"),
        ("{{[a, b, c]}}", "{{[a, b, '']}}", "a choice is empty"),
        (".index(right)", ".index('z')", "item 1: its templates can't be rendered: ValueError"),
        ("{{['a', 'b', 'c'].index(right)}}", "7", "item 1: the answer '7' is none of its 3 choices"),
        ("{{question.strip()}}", "{{questoin}}", "UndefinedError: 'questoin' is undefined"),
        ("test_split: test", "test_split: other", "no file is named for the split 'other'"),
        ("num_fewshot: 2", "num_fewshot: 9", "num_fewshot is 9; there are 3 examples"),
    ],
)
def test_what_is_not_read_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TASK
    with pytest.raises(SpecError, match=r"(?s).*" + re.escape(said)):
        load(suite(tmp_path, TASK.replace(old, new)), tmp_path)


def test_long_texts_have_a_perplexity_that_is_a_number() -> None:
    """It is of whole texts, as in the harness: 5000 nats are a thousand tokens that surprise."""
    items = [Item(f"{nll}", 0.0, {"verdict": "wrong", "logprob": -nll}) for nll in (5000.0, 5010.0, 5020.0)]
    metrics = {metric.name: metric for metric in lm_eval._metrics(items)}
    assert metrics["perplexity"].value == metrics["perplexity"].low == math.exp(700)
