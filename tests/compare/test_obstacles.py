from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.compare.obstacles import obstacles, template_of
from pipeline.evals.model import EvalResult
from pipeline.lock.model import LockedReference, Lockfile
from pipeline.record.model import Run, StageResult
from tests import factories as make

LOCK = make.lock()
EVAL = make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=make.choice()))
CHECK = make.run(LOCK, "check", "tiny-tools", StageResult(outcomes=make.outcomes_of_tools()))


def found(a: Run, b: Run, other: Lockfile = LOCK) -> list[str]:
    return [obstacle.what for obstacle in obstacles(a, b, LOCK, other)]


def test_equal_runs_compare_and_so_do_other_weights_and_contexts() -> None:
    assert found(EVAL, EVAL) == found(CHECK, CHECK) == []
    other = make.lock(name="other", source="file:x.gguf", engine={"context": 64, "slots": 1, "cache_type_k": "q8_0"})
    for run in (EVAL, CHECK):
        assert found(run, replace(run, key=replace(run.key, lock_digest=str(other.digest))), other) == []


@pytest.mark.parametrize(
    ("field", "what"), [("engine_digest", "engine"), ("hardware_digest", "hardware"), ("subject_digest", "data")]
)
def test_another_engine_machine_or_data_is_in_the_way(field: str, what: str) -> None:
    changes: dict[str, Any] = {field: "sha256:" + "0" * 64}
    assert found(EVAL, replace(EVAL, key=replace(EVAL.key, **changes))) == [what]


def test_another_version_of_a_suite_is_named_by_its_version() -> None:
    suites = {**LOCK.suites, "tiny-choice": LOCK.suites["tiny-choice"].model_copy(update={"version": "2"})}
    newer = LOCK.model_copy(update={"suites": suites})
    moved = replace(EVAL, key=replace(EVAL.key, subject_digest="sha256:other"))
    (obstacle,) = obstacles(EVAL, moved, LOCK, newer)
    assert (obstacle.what, obstacle.said) == ("suite", "versions 1 and 2 of tiny-choice")


def test_template_and_sampling_count_only_through_the_server() -> None:
    other = make.lock(sampling={"temperature": 0.7, "seed": 3})
    other = other.model_copy(update={"gguf": {**other.gguf, "template_digest": "sha256:" + "1" * 64}})
    assert found(EVAL, EVAL, other) == []
    assert found(CHECK, CHECK, other) == ["template", "sampling"]
    said = obstacles(CHECK, CHECK, LOCK, other)[1].said
    assert said == "temperature 0.0 and 0.7, seed 0 and 3"


def test_a_template_of_the_spec_goes_before_the_files() -> None:
    file = LOCK.weights.model_copy(update={"role": "chat_template", "sha256": "sha256:" + "2" * 64})
    assert template_of(LOCK.model_copy(update={"files": (*LOCK.files, file)})) == file.sha256
    assert template_of(LOCK) == LOCK.gguf["template_digest"]
    assert template_of(LOCK.model_copy(update={"gguf": {}})) == "none"


def test_offload_and_packing() -> None:
    assert found(EVAL, EVAL, make.lock(engine={"gpu_layers": 99})) == ["offload"]
    assert found(EVAL, replace(EVAL, assay_version="9.9")) == ["packing"]
    assert found(CHECK, replace(CHECK, assay_version="9.9")) == []


def test_divergences_from_two_models_do_not_compare() -> None:
    result = EvalResult("tiny-choice", "kl_divergence", (), ())
    run = make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=result))
    one, other, same = (
        LOCK.model_copy(update={"reference": LockedReference(name="large", weights=("sha256:" + digit * 64,))})
        for digit in ("1", "2", "1")
    )
    (obstacle,) = obstacles(run, run, one, other)
    assert (obstacle.what, obstacle.said) == ("reference", "sha256:111111111111 and sha256:222222222222")
    assert obstacles(run, run, one, same) == ()
    assert obstacles(EVAL, EVAL, one, other) == ()
