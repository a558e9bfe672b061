"""A task of the LM Evaluation Harness, its YAML as it is: the part of it that is read, and the questions that follow.

Read are multiple choice and log-likelihood tasks on files, with Jinja templates or names of fields, and with examples that
are the same for every item. What would need Python code, the network, or random examples is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.errors import Problem, SpecError
from pipeline.evals.rendering import render
from pipeline.evals.rows import read_rows
from pipeline.spec.load import shown

OTHERWISE = "assay eval NAME --lm-eval runs such a task in the harness itself"
_FIRST = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A part of the file: keys that are not read are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Examples(Part):
    """``fewshot_config``: the first ones of a split, or ``samples``, in order."""

    sampler: Literal["first_n"]
    split: str | None = None
    samples: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] | None = None


class MetricEntry(Part):
    """One of ``metric_list``."""

    metric: Literal["acc", "acc_norm", "acc_bytes", "perplexity"]
    aggregation: Literal["mean", "perplexity"] = "mean"
    higher_is_better: bool = True


class Task(Part):
    """The keys that are read. Tags, groups and metadata say nothing of the scores."""

    task: str
    task_alias: str | None = None
    tag: Any = None
    group: Any = None
    metadata: Any = None
    output_type: Literal["multiple_choice", "loglikelihood"]
    dataset_path: Literal["json"]
    dataset_name: str | None = None
    dataset_kwargs: dict[str, Any] = Field(default_factory=dict)
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    fewshot_config: Examples | None = None
    num_fewshot: Annotated[int, Field(ge=0, le=100)] | None = None
    description: str = ""
    doc_to_text: _FIRST
    doc_to_choice: str | Annotated[tuple[str, ...], Field(strict=False)] | dict[str, str] | None = None
    doc_to_target: str | int
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    metric_list: Annotated[tuple[MetricEntry, ...], Field(strict=False)] = ()
    should_decontaminate: bool = False
    doc_to_decontamination_query: str | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.output_type == "multiple_choice" and self.doc_to_choice is None:
            raise ValueError("multiple_choice wants doc_to_choice")
        if self.num_fewshot and self.fewshot_config is None:
            raise ValueError(
                "without fewshot_config the harness draws other examples for each item: write sampler: first_n"
            )
        if not self.split:
            raise ValueError("neither test_split nor validation_split is named")
        return self

    @property
    def split(self) -> str:
        """The split whose items are asked."""
        return self.test_split or self.validation_split or ""

    def templates(self) -> dict[str, Any]:
        """Return what is rendered for each document."""
        made: dict[str, Any] = {"text": self.doc_to_text, "target": self.doc_to_target, "description": self.description}
        if self.doc_to_choice is not None:
            choices = self.doc_to_choice
            made["choices"] = list(choices.values()) if isinstance(choices, dict) else choices
        return made


class Doc(BaseModel):
    """One line of the data, with any fields."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


@dataclass(frozen=True)
class Asked:
    """One document, rendered. ``choices`` are none for a log-likelihood; ``targets`` are the right choices' indices, or
    for a log-likelihood the text."""

    id: str
    before: str
    text: str
    choices: tuple[str, ...]
    targets: tuple[int, ...]
    target: str

    @property
    def context(self) -> str:
        return self.before + self.text


def read_task(task: Task, folder: Path, files: Mapping[str, str]) -> tuple[Asked, ...]:
    """Return a task's documents, rendered. ``files`` name the file of each split in ``folder``; those that it doesn't name
    are taken from the task's own ``data_files``.

    Raises SpecError for what is missing or faulty, UsageError when the templates are out of bounds.
    """
    path = _file(task, task.split, folder, files)
    docs = [doc.fields for doc in read_rows(path, Doc)]
    count, shots, same = task.num_fewshot or 0, [], False
    if count and task.fewshot_config:
        split = task.fewshot_config.split or task.fewshot_split or task.training_split or task.validation_split or ""
        same = split == task.test_split and task.fewshot_config.samples is None
        pool = docs if same else _pool(task, task.fewshot_config, split, folder, files)
        shots = pool[: count + same]
        if len(shots) < count + same:
            raise SpecError([Problem(shown(path), 0, 0, f"num_fewshot is {count}; there are {len(pool)} examples")])
    asked = [_checked(task, made, number, path) for number, made in enumerate(render(task.templates(), docs), 1)]
    examples = [_example(task, made, number, path) for number, made in enumerate(render(task.templates(), shots), 1)]
    befores: dict[str, str] = {}  # one text for all items that have the same
    done = []
    for number, (doc, (made, choices, targets, target)) in enumerate(zip(docs, asked, strict=True), 1):
        own = [text for shot, text in zip(shots, examples, strict=True) if not (same and shot == doc)][:count]
        before = str(made["description"]) + "".join(own)
        name = doc.get("id", number)
        id = str(name) if isinstance(name, str | int) else str(number)
        done.append(Asked(id, befores.setdefault(before, before), str(made["text"]), choices, targets, target))
    return tuple(done)


def _pool(task: Task, config: Examples, split: str, folder: Path, files: Mapping[str, str]) -> list[dict[str, Any]]:
    if config.samples is not None:
        return list(config.samples)
    return [doc.fields for doc in read_rows(_file(task, split, folder, files), Doc)]


def _file(task: Task, split: str, folder: Path, files: Mapping[str, str]) -> Path:
    own = task.dataset_kwargs.get("data_files")
    named = files.get(split) or (own.get(split) if isinstance(own, dict) else own)
    if not isinstance(named, str):
        said = f"no file is named for the split {split!r}"
        raise SpecError([Problem(shown(folder / "suite.yaml"), 0, 0, said, f"write data: {{{split}: items.jsonl}}")])
    return folder / Path(named).name  # where the harness would look from its own folder, we look in the suite's


_Made = tuple[dict[str, Any], tuple[str, ...], tuple[int, ...], str]


def _checked(task: Task, made: dict[str, Any], number: int, path: Path) -> _Made:
    """Return a rendered document with its choices and targets. Raises SpecError with the item and what is wrong."""

    def fault(said: str) -> SpecError:
        return SpecError([Problem(shown(path), 0, 0, f"item {number}: {said}")])

    if error := made.get("error"):
        raise fault(f"its templates can't be rendered: {error}")
    text, target = made["text"], made["target"]
    if not isinstance(text, str):
        raise fault(f"doc_to_text gives {text!r}, which is no text")
    if task.output_type == "loglikelihood":
        if not isinstance(target, str) or not target:
            raise fault(f"doc_to_target gives {target!r}, which is no text to score")
        return made, (), (), target
    choices = made["choices"]
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(one, str) for one in choices):
        raise fault(f"doc_to_choice gives {choices!r}, which are no two texts at least")
    if not all(task.target_delimiter + choice for choice in choices) or not all(choices):
        raise fault("a choice is empty: there is nothing to score")
    if text.isdigit():
        raise fault(f"doc_to_text gives a number: a task whose choices are its contexts is not read ({OTHERWISE})")
    targets = [_index(one, choices) for one in (target if isinstance(target, list) else [target])]
    if not targets or None in targets:
        raise fault(f"the answer {target!r} is none of its {len(choices)} choices")
    return made, tuple(choices), tuple(one for one in targets if one is not None), ""


def _index(target: Any, choices: Sequence[str]) -> int | None:
    """Return the place of the right choice, which is named by its number or its text."""
    if isinstance(target, str) and target.isdigit() and target not in choices:
        target = int(target)
    if isinstance(target, int) and not isinstance(target, bool):
        return target if 0 <= target < len(choices) else None
    return choices.index(target) if target in choices else None


def _example(task: Task, made: dict[str, Any], number: int, path: Path) -> str:
    """Return an example with its answer."""
    _, choices, targets, target = _checked(task, made, number, path)
    return f"{made['text']}{task.target_delimiter}{choices[targets[0]] if choices else target}{task.fewshot_delimiter}"


def questions(task: Task, asked: Sequence[Asked]) -> Iterator[tuple[Asked, tuple[str, ...]]]:
    """Yield each document with the texts that are scored after its context."""
    for one in asked:
        yield one, tuple(task.target_delimiter + choice for choice in one.choices) or (one.target,)
