from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest

from pipeline.cli.served import content_of, text_of
from pipeline.core.project import Project
from pipeline.flow.roster import Resident
from pipeline.flow.serve import Service
from pipeline.lock.load import read_lock

MIB = 1 << 20


@pytest.fixture
def two(cold_project: Project) -> tuple[Resident, Resident]:
    lock = read_lock(cold_project, "small")
    other = lock.model_copy(update={"name": "other"})
    return Resident(lock, 600 * MIB, Path("/log/small")), Resident(
        other, 500 * MIB, Path("/log/other"), why="it is gone"
    )


def service(*residents: Resident, budget: float = 800.0 * MIB) -> Service:
    return Service(residents, "http://127.0.0.1:8080", Path("/key"), Path("/access.jsonl"), budget)


def test_several_are_listed_with_what_they_take(two: tuple[Resident, Resident]) -> None:
    content = content_of(service(*two), {"small": "accepted", "other": "rejected"}, "sha256:e")
    assert json.loads(json.dumps(content)) == content
    assert [one["name"] for one in content["served"]] == ["small", "other"]
    assert [(one["state"], one["reason"], one["pid"]) for one in content["served"]] == [
        ("unloaded", None, None),
        ("failed", "it is gone", None),
    ]
    assert [one["memory"] for one in content["served"]] == [600 * MIB, 500 * MIB] and content["memory"] == 800 * MIB
    assert len(content["models"]) == 4 and not {"name", "pid", "lock"} & set(content)
    text = text_of(service(*two), {"small": "accepted", "other": "rejected"})
    assert "2 models are served at http://127.0.0.1:8080/v1" in text
    assert "1.07 GiB for all, 800 MiB may be taken: each is loaded when it is asked for" in text
    assert "500 MiB, failed: it is gone" in text and "decision rejected" in text


@pytest.mark.parametrize(("budget", "said"), [(inf, "1.07 GiB for all\n"), (2048.0 * MIB, "all are loaded")])
def test_how_they_fit_together_is_told(two: tuple[Resident, Resident], budget: float, said: str) -> None:
    assert said in text_of(service(*two, budget=budget), {"small": "accepted", "other": "accepted"})
    assert (content_of(service(*two, budget=budget), dict.fromkeys(("small", "other"), ""), "")["memory"] is None) is (
        budget == inf
    )


def test_what_is_told_of_one_stands_at_the_top_too(two: tuple[Resident, Resident]) -> None:
    content = content_of(service(two[0], budget=inf), {"small": "accepted"}, "sha256:e")
    (one,) = content["served"]
    assert {key: content[key] for key in ("name", "lock", "weights", "decision", "log", "pid")}.items() <= one.items()
    text = text_of(service(two[0], budget=inf), {"small": "accepted"})
    assert text.startswith("small is served at http://127.0.0.1:8080/v1\n") and text.endswith("Ctrl-C stops it.")
