from __future__ import annotations

import json
import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.core.errors import SpecError, UsageError
from pipeline.evals.engine import Model, ask_suite, compares, load_suite, run_suite
from pipeline.evals.kinds import kl_divergence, multiple_choice
from pipeline.runtime.serving import Serving

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "evals"
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"


@pytest.mark.parametrize(("name", "least"), [("tiny-facts", 60), ("general-choice", 120)])
def test_choice_suites_are_balanced(name: str, least: int) -> None:
    rows: tuple[multiple_choice.Row, ...] = load_suite(SUITES / name).data.items
    assert len(rows) >= least
    assert {len(row.choices) for row in rows} == {4}
    places = Counter(row.answer for row in rows)
    assert max(places.values()) - min(places.values()) <= 1
    assert len({row.question for row in rows}) == len(rows)
    assert min(Counter(row.skill for row in rows).values()) >= 7


@pytest.mark.parametrize(
    ("name", "maker", "file"), [("tiny-facts", "items", "items.jsonl"), ("tiny-text", "pairs", "pairs.jsonl")]
)
def test_generated_data_is_what_its_generator_writes(name: str, maker: str, file: str) -> None:
    made: list[dict[str, Any]] = runpy.run_path(str(SUITES / name / "generate.py"))[maker]()
    written = [json.loads(line) for line in (SUITES / name / file).read_text().splitlines()]
    assert made == written, f"run: python evals/{name}/generate.py, and raise the suite's version"


def test_tiny_chat_knows_its_facts() -> None:
    suite = load_suite(SUITES / "tiny-facts")
    result = run_suite(suite, Model(WEIGHTS), threads=1)
    assert (result.suite, result.kind, len(result.items)) == ("tiny-facts", "multiple_choice", len(suite.data.items))
    metrics = {metric.name: metric for metric in result.metrics}
    acc = metrics["acc"]
    assert acc.low is not None and acc.low > 0.6
    assert acc.value == sum(item.score for item in result.items) / len(result.items)
    assert result == run_suite(suite, Model(WEIGHTS), threads=1)


def test_the_digest_moves_with_any_file(tmp_path: Path) -> None:
    copy = shutil.copytree(SUITES / "tiny-facts", tmp_path / "tiny-facts")
    before = load_suite(copy).digest
    assert before == load_suite(SUITES / "tiny-facts").digest
    (copy / "items.jsonl").write_text((copy / "items.jsonl").read_text() + "\n")
    assert load_suite(copy).digest != before


def test_faults_in_a_suite_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text('kind: multiple_chioce\nversion: "1"\n')
    with pytest.raises(SpecError, match=r"suite\.yaml:1:7: kind must be .*did you mean 'multiple_choice'"):
        load_suite(tmp_path)
    text = (SUITES / "general-choice" / "suite.yaml").read_text()
    (tmp_path / "suite.yaml").write_text(text.replace("prompt:", "promt:").replace("{question}", "question"))
    with pytest.raises(SpecError) as raised:
        load_suite(tmp_path)
    lines = [line.split(":", 1)[0] for line in text.splitlines()]
    found = {(problem.line, problem.message.split(" ")[0]) for problem in raised.value.problems}
    assert (lines.index("prompt") + 1, "unknown") in found
    assert any(line == lines.index("context") + 1 for line, _ in found)
    with pytest.raises(UsageError, match=r"suite\.yaml"):
        load_suite(tmp_path / "nowhere")


def test_a_suite_that_compares_wants_a_reference(tmp_path: Path) -> None:
    suite = comparing(tmp_path)
    assert compares(suite) and not compares(SUITES / "tiny-facts")
    with pytest.raises(UsageError, match="compares a model with its reference") as raised:
        run_suite(load_suite(suite), Model(WEIGHTS), threads=1)
    assert "reference: NAME" in raised.value.hint
    with pytest.raises(UsageError, match="needs a scorer, not a server"):
        ask_suite(load_suite(suite), Serving(httpx.Client(), "model"))


def test_the_same_scores_are_taken_from_where_they_were_kept(tmp_path: Path) -> None:
    """Those of the reference too: the second run computes nothing, which a reference that is gone shows."""
    suite, scores = load_suite(comparing(tmp_path)), tmp_path / "scores"
    reference = tmp_path / "reference.gguf"
    shutil.copy(WEIGHTS.with_name("tiny-chat-f16.gguf"), reference)
    pair = Model(WEIGHTS, identity="model"), Model(reference, identity="reference")
    first = run_suite(suite, pair[0], threads=1, reference=pair[1], scores=scores)
    shutil.copy(WEIGHTS, reference)
    assert run_suite(suite, pair[0], threads=1, reference=pair[1], scores=scores) == first
    assert run_suite(suite, pair[0], threads=1, reference=pair[1]) != first


def comparing(folder: Path) -> Path:
    (folder / "text.txt").write_text((SUITES / "plain-text" / "text.txt").read_text()[:1500])
    content = {**kl_divergence.EXAMPLE, "context": 128}
    (folder / "suite.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items()))
    return folder
