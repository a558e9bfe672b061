from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.divergence import Against, Top
from pipeline.runtime.readers import Logits, log_total


def rows(seed: int, size: int, sharp: float, noise: float) -> tuple[Logits, Logits]:
    generator = np.random.default_rng(seed)
    p = generator.normal(size=size).astype(np.float32) * np.float32(sharp)
    return p, p + generator.normal(size=size).astype(np.float32) * np.float32(noise)


def bounds(p: Logits, q: Logits, top: int, token: int = 0) -> list[float]:
    kept = np.array([Top(top, len(p)).read(p, log_total(p), token, 0, 0)], dtype=np.float32)
    return list(np.asarray(Against([kept], "x").read(q, log_total(q), token, 0, 0), dtype=np.float64))


def exact(p: Logits, q: Logits) -> float:
    one, two = p.astype(np.float64) - log_total(p), q.astype(np.float64) - log_total(q)
    return float((np.exp(one) * (one - two)).sum())


@given(st.integers(0, 1000), st.integers(2, 300), st.floats(0.1, 8), st.floats(0, 3), st.integers(1, 300))
def test_the_divergence_lies_between_the_bounds(seed: int, size: int, sharp: float, noise: float, top: int) -> None:
    p, q = rows(seed, size, sharp, noise)
    _, low, high, same = bounds(p, q, top)
    assert low - 1e-5 <= exact(p, q) <= high + 1e-5
    assert same == float(p.argmax() == q.argmax())


@given(st.integers(0, 1000), st.floats(0.1, 8), st.floats(0, 3))
def test_with_all_kept_there_is_nothing_between_them(seed: int, sharp: float, noise: float) -> None:
    p, q = rows(seed, 50, sharp, noise)
    _, low, high, _ = bounds(p, q, 64)
    assert low == high == pytest.approx(exact(p, q), abs=1e-5)


def test_a_model_does_not_differ_from_itself() -> None:
    p, _ = rows(1, 1000, 3.0, 0.0)
    logprob, low, _, same = bounds(p, p, 64, token=7)
    assert low == pytest.approx(0, abs=1e-6)
    assert same == 1
    assert logprob == pytest.approx(float(p[7]) - log_total(p))
