from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.engine import load_suite
from pipeline.evals.kinds import perplexity
from pipeline.evals.kinds.perplexity import EXAMPLE, Config, Pair, load, measure
from pipeline.evals.windows import windows
from pipeline.runtime.binding import Scorer
from pipeline.runtime.build import find_engine
from tests.perplexity import llama_perplexity

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
TEXT = ROOT / "evals" / "plain-text" / "text.txt"


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def config(**changes: object) -> Config:
    return Config.model_validate(EXAMPLE | changes)


def test_agrees_with_llama_perplexity(scorer: Scorer) -> None:
    """The same text and window, by llama.cpp's own tool. Batches have other shapes, which quantised weights feel: 1 %
    is allowed."""
    printed = rb"Final estimate: PPL = ([\d.]+) \+/- ([\d.]+)"
    said = llama_perplexity(find_engine(), printed, "-m", WEIGHTS, "-f", TEXT, "-c", "256", "-t", "1", "-fa", "off")
    found = re.search(printed, said)
    assert found
    metrics, _ = measure(config(context=256), TEXT.read_text(), scorer, SILENT)
    perplexity, nll, _ = metrics
    assert perplexity.value == pytest.approx(float(found[1]), rel=0.01)
    assert nll.high is not None
    error = (nll.high - nll.value) / 1.96 * perplexity.value
    assert error == pytest.approx(float(found[2]), rel=0.02)


def test_metrics_follow_from_items(scorer: Scorer) -> None:
    metrics, items = measure(config(context=128), TEXT.read_text()[:3000], scorer, SILENT)
    values = {metric.name: metric for metric in metrics}
    tokens, total = sum(item.detail["tokens"] for item in items), -sum(item.detail["logprob"] for item in items)
    assert tokens == 63 * len(items) == values["nll"].n
    assert values["nll"].value == pytest.approx(total / tokens, abs=1e-6)
    assert values["perplexity"].value == pytest.approx(math.exp(total / tokens), rel=1e-6)
    size = sum(item.detail["bytes"] for item in items)
    assert values["bits_per_byte"].value == pytest.approx(total / math.log(2) / size, rel=1e-6)
    for metric in metrics:
        assert metric.low is not None and metric.high is not None and metric.low < metric.value < metric.high


def test_a_stride_of_half_a_window_scores_nearly_every_token(scorer: Scorer) -> None:
    text = TEXT.read_text()[:3000]
    tokens = scorer.tokenize(text)
    plain, dense = windows(tokens, None, 128), windows(tokens, None, 128, 64)
    assert len(plain) == len(tokens) // 128
    assert len(dense) == (len(tokens) - 128) // 64 + 1
    assert dense[1].group.prefix[:2] == tokens[64:66]
    assert dense[2].group == plain[1].group


def test_pairs_score_every_token_of_the_continuation(scorer: Scorer) -> None:
    pair = Pair(
        id="one",
        context="<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n",
        continuation="Hello! How can I help you?<|im_end|>",
    )
    metrics, (item,) = measure(config(text=None, pairs="x.jsonl", prompt="chat"), [pair], scorer, SILENT)
    assert item.detail["tokens"] == len(scorer.tokenize(pair.continuation, special=True))
    assert item.detail["bytes"] == len(pair.continuation)
    assert item.score == pytest.approx(metrics[1].value, abs=1e-6)
    assert metrics[0].value < 10, "this is the answer that tiny-chat learns for a greeting"


def test_a_pair_that_is_too_long_is_unknown_and_the_others_are_not(scorer: Scorer) -> None:
    pairs = [
        Pair(id="a", context="Hello", continuation=" you"),
        Pair(id="b", context="word " * 3000, continuation=" x"),
    ]
    metrics, items = measure(config(text=None, pairs="x.jsonl"), pairs, scorer, SILENT)
    named = {metric.name: metric for metric in metrics}
    assert [(item.id, item.detail.get("verdict")) for item in items] == [("a", None), ("b", "unknown")]
    assert (named["unknown"].value, named["unknown"].n) == (1, 2)
    assert named["nll"].value == pytest.approx(next(item.score for item in items if item.id == "a"), abs=1e-6)
    with pytest.raises(UsageError, match="every pair is longer"):
        measure(config(text=None, pairs="x.jsonl"), pairs[1:], scorer, SILENT)


def test_a_text_shorter_than_a_window_is_refused(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="less than one window of 512"):
        measure(config(), "Too short.", scorer, SILENT)


@pytest.mark.parametrize(
    "changes", [{"text": None}, {"pairs": "x.jsonl"}, {"stride": 255}, {"stride": 513}, {"context": 0}]
)
def test_faulty_configs_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**changes)


def test_data_is_read_by_what_the_suite_names() -> None:
    text, pairs = load_suite(ROOT / "evals" / "plain-text"), load_suite(ROOT / "evals" / "tiny-text")
    assert isinstance(text.config, Config) and isinstance(pairs.config, Config)
    assert len(str(load(text.config, text.folder)).split()) > 3000
    assert len({pair.id for pair in pairs.data}) == len(pairs.data) > 100


def test_a_single_token_has_no_interval(scorer: Scorer) -> None:
    pair = Pair(id="one", context="<|im_start|>", continuation="user")
    metrics, _ = measure(config(text=None, pairs="x.jsonl", prompt="chat"), (pair,), scorer, SILENT)
    assert {metric.n for metric in metrics} == {1}
    assert {(metric.low, metric.high) for metric in metrics} == {(None, None)}


def test_the_interval_of_a_model_that_knows_nothing_is_of_numbers() -> None:
    assert perplexity._interval(900.0, 1.0, perplexity._exp) == (math.exp(700), math.exp(700))
