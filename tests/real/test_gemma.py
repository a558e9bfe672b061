"""The main job on a real model, gemma-3-270m: what the record, the gate and the benchmarks make of it. Run by `nox -s real`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from pipeline.core.host import hardware
from pipeline.runtime.build import find_engine

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
CHAT, COMPLETION = "specs/real/gemma-3-270m.yaml", "specs/real/gemma-3-270m-completion.yaml"
WEIGHTS = ROOT / "models" / "real" / "gemma-3-270m-q4_k_m.gguf"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the model linked in and nothing on record."""
    if not WEIGHTS.is_file():
        pytest.fail(f"{WEIGHTS} is missing: run nox -s real, which fetches it")
    root = tmp_path_factory.mktemp("project")
    for name in ("specs", "evals", "lockfiles"):
        shutil.copytree(ROOT / name, root / name)
    (root / "models" / "real").mkdir(parents=True)
    os.link(WEIGHTS, root / "models" / "real" / WEIGHTS.name)
    return root


def assay(project: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command with --json and return its answer; the exit code must be ``code``."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", *arguments, "--json", "--quiet"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def runs(project: Path) -> dict[str, Any]:
    """Both profiles, run: the chat gate says no, so the worst exit code is 1."""
    answer = assay(project, "run", CHAT, COMPLETION, code=1)
    return {model["decision"]["model"]: model for model in answer["models"]}


def test_the_committed_locks_are_what_locking_gives(project: Path) -> None:
    before = {path.name: path.read_bytes() for path in (project / "lockfiles").iterdir()}
    answer = assay(project, "lock", CHAT, COMPLETION)
    assert not any(lock["written"] for lock in answer["locks"])
    assert {path.name: path.read_bytes() for path in (project / "lockfiles").iterdir()} == before


def test_the_chat_profile_is_rejected_for_want_of_a_template(runs: dict[str, Any]) -> None:
    model = runs["gemma-3-270m"]
    assert not model["accepted"]
    failed = [reason for reason in model["decision"]["reasons"] if reason["verdict"] != "pass"]
    # The spec's own gate and the policy of the catalog both say it.
    assert [(reason["rule"], reason["verdict"]) for reason in failed] == [
        ("lint: nothing worse than warning", "fail"),
        ("policy lint: nothing worse than warning", "fail"),
    ]
    assert all("A101" in reason["message"] for reason in failed)
    findings = next(run["findings"] for run in model["runs"] if run["stage"] == "lint")
    assert [(finding["code"], finding["severity"]) for finding in findings] == [("A101", "error")]


def test_the_completion_profile_is_accepted(runs: dict[str, Any]) -> None:
    model = runs["gemma-3-270m-completion"]
    assert model["accepted"], model["decision"]["reasons"]
    metrics = {(run["subject"], metric["name"]): metric for run in model["runs"] for metric in run.get("metrics", [])}
    accuracy = metrics["general-choice", "acc"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert accuracy["n"] >= 100
    assert 5 < metrics["plain-text", "perplexity"]["value"] < 40


def test_the_blob_is_stored_once_and_verified(project: Path, runs: dict[str, Any]) -> None:
    files = assay(project, "verify", "--deep", CHAT, COMPLETION)["files"]
    assert {file["want"] for file in files} == {file["got"] for file in files}
    assert len(list((project / ".assay" / "store" / "blobs").rglob("*[0-9a-f]"))) >= 1
    assert len({file["stored"] for file in files}) == 1


def test_a_second_run_reuses_everything(project: Path, runs: dict[str, Any]) -> None:
    again = assay(project, "run", COMPLETION)["models"][0]
    assert all(run["reused"] for run in again["runs"])


def test_llama_bench_by_hand_agrees(project: Path, runs: dict[str, Any]) -> None:
    """The recorded medians lie within the spread of llama-bench run by hand, give or take a quarter. The machine may be busy in one of
    the two: then both are done again, twice at most.
    """
    rows = [row for run in runs["gemma-3-270m-completion"]["runs"] if run["stage"] == "bench" for row in run["rows"]]
    for again in (True, True, False):
        engine = [row for row in rows if row["layer"] == "engine" and row["metric"].endswith("_tok_s")]
        assert all(row["value"] is not None or row["inconclusive"] for row in engine)
        recorded = {row["metric"]: row["value"] for row in engine}
        by_hand = llama_bench()
        assert recorded.keys() == by_hand.keys()
        strays = [
            f"{metric}: recorded {recorded[metric]}, by hand {median(samples)} of {samples}"
            for metric, samples in by_hand.items()
            if recorded[metric] is not None  # else something kept it waiting, and it says so
            and not min(samples) * 0.75 <= recorded[metric] <= max(samples) * 1.25
        ]
        if not strays:
            return
        if again:
            (run,) = assay(project, "bench", COMPLETION, "--force")["runs"]
            rows = run["rows"]
    pytest.fail("; ".join(strays))


def llama_bench() -> dict[str, list[float]]:
    """Run llama-bench as a person would; return the samples in tok/s, by metric."""
    build = find_engine()
    argv = f"-m {WEIGHTS} -p 128 -n 32 -r 5 -t {hardware().physical_cores} -fa 0 -o json".split()
    done = subprocess.run(
        [str(build.tool("llama-bench")), *argv], env=build.environment, capture_output=True, text=True, check=True
    )
    return {
        ("decode_tok_s" if test["n_gen"] else "prefill_tok_s"): test["samples_ts"] for test in json.loads(done.stdout)
    }
