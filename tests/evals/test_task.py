from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.evals.task import Task

LEAST = {
    "task": "t",
    "dataset_path": "json",
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "q",
    "doc_to_choice": ["a", "b"],
    "doc_to_target": 0,
}


def test_the_least_that_a_task_says() -> None:
    task = Task.model_validate(LEAST)
    assert task.split == "test"
    assert task.templates() == {"text": "q", "target": 0, "description": "", "choices": ("a", "b")}
    assert Task.model_validate(LEAST | {"doc_to_choice": {"A": "a", "B": "b"}}).templates()["choices"] == ["a", "b"]


@pytest.mark.parametrize(
    "changes",
    [
        {"test_split": None},
        {"doc_to_choice": None},
        {"num_fewshot": 3},
        {"num_fewshot": -1},
        {"doc_to_image": "image"},
        {"metric_list": [{"metric": "f1"}]},
        {"fewshot_config": {"sampler": "random"}},
        {"dataset_path": "hellaswag"},
    ],
)
def test_what_is_not_read_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Task.model_validate(LEAST | changes)
