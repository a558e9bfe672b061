from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.core.errors import SpecError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.embedding_similarity import EXAMPLE, Config, Pair, correlation, load, measure, ranks
from pipeline.runtime.binding import Scorer

WEIGHTS = Path(__file__).parents[3] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
LANDS = ("France", "Italy", "Spain", "Germany", "Japan", "Egypt")


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def config(**changes: object) -> Config:
    return Config.model_validate(EXAMPLE | {"pooling": "mean"} | changes)


def pairs() -> list[Pair]:
    """The same question twice, the same of another land, and something else: near, less near, far."""
    made = []
    for number, land in enumerate(LANDS):
        question = f"What is the capital of {land}?"
        other = f"What is the capital of {LANDS[number - 1]}?"
        for grade, text in ((5.0, question), (3.0, other), (0.0, f"{number} times 7 makes {number * 7}")):
            made.append(Pair(id=f"{land}-{grade:g}", a=question, b=text, similarity=grade))
    return made


def test_what_means_the_same_lies_near(scorer: Scorer) -> None:
    metrics, items = measure(config(), pairs(), scorer, SILENT)
    named = {metric.name: metric for metric in metrics}
    spearman = named["spearman"]
    assert spearman.low is not None and spearman.high is not None
    assert 0.8 < spearman.value <= 1 and spearman.low < spearman.value < spearman.high <= 1
    assert named["unknown"].value == 0
    same = [item for item in items if item.detail["similarity"] == 5]
    assert [item.detail["cosine"] for item in same] == pytest.approx([1.0] * len(same), abs=1e-4)
    assert all(0 <= item.score <= 1 for item in items)


def test_a_text_that_is_too_long_is_unknown(scorer: Scorer) -> None:
    data = [*pairs(), Pair(id="long", a="word " * 3000, b="word", similarity=5.0)]
    metrics, items = measure(config(), data, scorer, SILENT)
    assert items[-1].detail["verdict"] == "unknown" and "1024 tokens" in items[-1].detail["reason"]
    assert {metric.name: metric.value for metric in metrics}["unknown"] == 1


def test_ranks_and_correlations() -> None:
    assert ranks([30, 10, 20, 10]) == [4, 1.5, 3, 1.5]
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert correlation([1, 1, 1], [3, 2, 1]) == 0


def test_too_few_pairs_or_one_grade_are_refused(tmp_path: Path) -> None:
    for data in (pairs()[:9], [pair.model_copy(update={"similarity": 1.0}) for pair in pairs()]):
        (tmp_path / "pairs.jsonl").write_text("\n".join(pair.model_dump_json() for pair in data))
        with pytest.raises(SpecError, match="10 pairs at least, of different similarity"):
            load(config(), tmp_path)


@pytest.mark.parametrize("changes", [{"data": None}, {"pooling": "max"}, {"data": "../x"}])
def test_faulty_configs_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**changes)
