from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.progress import SILENT
from pipeline.evals.choices import SAMPLE, Question, measure_choices
from pipeline.runtime.binding import Scorer

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"

LONG = "A text that is long enough for the shape of a batch to be felt: " * 2


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def question(number: int, texts: tuple[str, ...] = ("Paris", "Rome"), answers: tuple[int, ...] = (0,)) -> Question:
    return Question(
        f"q{number}", "s", f"{number}. {LONG} {number} is", tuple(f" {text}" for text in texts), texts, answers
    )


def test_what_lies_within_the_noise_is_unstable(scorer: Scorer) -> None:
    questions = [question(i) for i in range(40)]
    metrics, items = measure_choices(iter(questions), len(questions), scorer, SILENT)
    values = {metric.name: metric for metric in metrics}
    noise = values["noise"]
    assert 0 < values["noise_p99"].value <= noise.value < 0.5
    assert noise.n >= 2 * SAMPLE
    unstable = [item for item in items if abs(item.detail["margin"]) < 2 * noise.value]
    assert [item.id for item in items if item.detail["unstable"]] == [item.id for item in unstable]
    assert values["unstable"].value == len(unstable)
    if len(unstable) < len(items):
        left = [item.score for item in items if item not in unstable]
        assert (values["acc_stable"].value, values["acc_stable"].n) == (sum(left) / len(left), len(left))


def test_equal_choices_lead_by_nothing(scorer: Scorer) -> None:
    twice = Question("a", "s", "It is", (" Paris", " Paris"), ("Paris", "Paris "), (0,))
    metrics, (item, _) = measure_choices([twice, question(1)], 2, scorer, SILENT)
    assert item.detail["margin"] == 0
    noise = next(metric.value for metric in metrics if metric.name == "noise")
    assert item.detail["unstable"] is (noise > 0)


def test_any_of_several_right_answers_will_do(scorer: Scorer) -> None:
    metrics, (one, two) = measure_choices([question(1, answers=(0, 1)), question(2)], 2, scorer, SILENT)
    assert one.score == 1 and one.detail["answers"] == [0, 1]
    assert metrics[0].value == (1 + two.score) / 2


def test_a_question_that_nothing_stands_before_is_unknown(scorer: Scorer) -> None:
    empty = Question("a", "s", "", ("Paris", "Rome"), ("Paris", "Rome"), (0,))
    _, (one, two) = measure_choices([empty, question(2)], 2, scorer, SILENT)
    assert (one.detail["verdict"], two.detail["verdict"] != "unknown") == ("unknown", True)
    assert "no token stands before" in one.detail["reason"]


def test_bits_are_the_same_again(scorer: Scorer) -> None:
    questions = [question(i) for i in range(40)]
    assert measure_choices(questions, 40, scorer, SILENT) == measure_choices(questions, 40, scorer, SILENT)
