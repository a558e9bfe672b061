from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.kl_divergence import EXAMPLE, Config, measure, prepare
from pipeline.evals.model import Metric
from pipeline.evals.windows import windows
from pipeline.runtime.binding import Scorer
from pipeline.runtime.build import find_engine
from pipeline.runtime.readers import Kind, Logits
from tests.perplexity import llama_perplexity

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models" / "tiny-chat"
TEXT = ROOT / "evals" / "plain-text" / "text.txt"
NUMBER = rb"\s*:?\s*([-\d.]+) \xc2\xb1\s+([\d.]+)"


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(MODELS / "tiny-chat-q8_0.gguf", threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def reference() -> Iterator[Scorer]:
    with Scorer(MODELS / "tiny-chat-f16.gguf", threads=1) as opened:
        yield opened


def measured(text: str, scorer: Scorer, reference: Scorer, **changes: object) -> dict[str, Metric]:
    config = Config.model_validate(EXAMPLE | {"context": 256} | changes)
    metrics, items = measure(config, prepare(config, text, reference, SILENT), scorer, SILENT)
    named = {metric.name: metric for metric in metrics}
    tokens = sum(item.detail["tokens"] for item in items)
    assert named["kld"].value == pytest.approx(sum(i.score * i.detail["tokens"] for i in items) / tokens, abs=1e-6)
    assert sum(item.detail["same_top"] for item in items) == round(named["same_top"].value * tokens)
    return named


def test_agrees_with_llama_perplexity(scorer: Scorer, reference: Scorer, tmp_path: Path) -> None:
    """The same text, windows and pair of files, by llama.cpp's own tool: within the error that it prints.

    The reference's own perplexity is that of its first run: the second reads it from a file that holds no probability
    below e^-16 of the likeliest, which this text, far from what tiny-chat learnt, is full of.
    """
    text = TEXT.read_text()[:8000]
    (tmp_path / "text").write_text(text)
    engine = find_engine()
    common = ["-c", "256", "-t", "1", "-fa", "off", "--kl-divergence-base", tmp_path / "base"]

    def said(model: str, last: bytes, *options: object) -> bytes:
        return llama_perplexity(engine, last, "-m", MODELS / model, *options, *common)

    first = said("tiny-chat-f16.gguf", rb"Final estimate: PPL = [-\d.]+ \+/- [\d.]+", "-f", tmp_path / "text")
    second = said("tiny-chat-q8_0.gguf", rb"Same top p" + NUMBER, "--kl-divergence")
    ours = measured(text, scorer, reference)
    for name, lines, printed, scale in [
        ("perplexity_reference", first, rb"Final estimate: PPL = ([-\d.]+) \+/- ([\d.]+)", 1.0),
        ("perplexity", second, rb"Mean PPL\(Q\)" + NUMBER, 1.0),
        ("kld", second, rb"Mean +KLD" + NUMBER, 1.0),
        ("rms_dp", second, rb"RMS \xce\x94p" + NUMBER, 1.0),
        ("same_top", second, rb"Same top p" + NUMBER, 0.01),
    ]:
        found = re.search(printed, lines)
        assert found, (name, lines[-3000:])
        value, error = float(found[1]) * scale, float(found[2]) * scale
        assert ours[name].value == pytest.approx(value, abs=error), name


def test_bounds_hold_the_exact_divergence(scorer: Scorer, reference: Scorer) -> None:
    class Whole:
        """Keeps every row, which a real vocabulary is too large for."""

        key = "whole"
        kind: Kind = np.float64
        width = scorer.vocabulary

        def read(self, row: Logits, total: float, token: int, group: int, place: int) -> object:
            return row.astype(np.float64) - total

    whole = Whole()
    text = TEXT.read_text()[:2500]
    groups = [piece.group for piece in windows(scorer.tokenize(text), scorer.bos, 256)]
    p, q = (np.concatenate([rows for _, rows in one.read(groups, whole)]) for one in (reference, scorer))
    exact = float((np.exp(p) * (p - q)).sum(axis=1).mean())
    few, many = (measured(text, scorer, reference, top=top) for top in (8, scorer.vocabulary))
    assert few["kld"].value <= exact <= few["kld_bound"].value
    assert many["kld"].value == pytest.approx(exact, abs=1e-6) == many["kld_bound"].value
    assert many["kld_p50"].value < many["kld_p99"].value <= many["kld_max"].value


def test_a_model_is_its_own_best_reference(scorer: Scorer) -> None:
    named = measured(TEXT.read_text()[:2500], scorer, scorer)
    assert named["same_top"].value == 1
    assert named["kld_max"].value == pytest.approx(0, abs=1e-6)
    assert named["rms_dp"].value == pytest.approx(0, abs=1e-5)


def test_another_tokenizer_is_no_reference(scorer: Scorer) -> None:
    config = Config.model_validate(EXAMPLE)
    text, known = prepare(config, TEXT.read_text()[:3000], scorer, SILENT)
    other = type(known)(known.tokens[1:], known.bos, known.rows)
    with pytest.raises(UsageError, match="reads the text as other tokens"):
        measure(config, (text, other), scorer, SILENT)


@pytest.mark.parametrize("changes", [{"text": None}, {"top": 0}, {"context": 4}, {"prompt": "chat"}])
def test_faulty_configs_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(EXAMPLE | changes)
