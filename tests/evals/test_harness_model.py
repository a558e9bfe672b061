from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.progress import SILENT
from pipeline.evals.harness_model import body_of, cut, likelihoods, rolling
from pipeline.runtime.binding import Scorer
from pipeline.runtime.packing import Group

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
TOLERANCE = 0.1


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def test_each_continuation_has_its_own_sum_whatever_stands_beside_it(scorer: Scorer) -> None:
    pairs = [("What is the capital", f" of {land}?") for land in ("France", "Italy", "Norway")]
    pairs += [("The capi", "tal"), ("The capi", " x"), ("The capi", "tal of Norway is Oslo.")]
    together = likelihoods(scorer, pairs, SILENT)
    assert len(together) == len(pairs)
    for pair, (total, greedy) in zip(pairs, together, strict=True):
        [(alone, also)] = likelihoods(scorer, [pair], SILENT)
        assert total == pytest.approx(alone, abs=TOLERANCE)
        assert greedy == also


def test_greedy_is_what_the_model_would_have_written(scorer: Scorer) -> None:
    context = "What is the capital of"
    prefix = scorer.tokenize(context)
    every = [
        Group(prefix, tuple((token,) for token in range(i, min(i + 60, scorer.vocabulary))))
        for i in range(0, scorer.vocabulary, 60)
    ]
    scores = [score[0] for group in scorer.score(every) for score in group]
    best = max(range(len(scores)), key=scores.__getitem__)
    from pipeline.runtime.readers import Greedy

    rows = [row for _, row in scorer.read([Group(prefix, ((best,), (best + 1,)))], Greedy())]
    assert rows[0][:, 1].tolist() == [1.0, 0.0]


def test_a_context_that_is_too_long_loses_its_beginning(scorer: Scorer) -> None:
    notes: list[str] = []

    class Noted(type(SILENT)):  # type: ignore[misc]
        def note(self, message: str) -> None:
            notes.append(message)

    long = "one two three " * 600 + "What is the capital"
    [(total, _)] = likelihoods(scorer, [(long, " of France")], Noted())
    assert total < 0 and len(notes) == 1 and "lost their beginning" in notes[0]


def test_a_rolling_log_likelihood_scores_every_token_once(scorer: Scorer) -> None:
    short, long = "An owl says hoot.", "An owl says hoot. " * 150
    tokens = scorer.tokenize(long, bos=False)
    assert len(tokens) > scorer.trained_context
    one, two, nothing = rolling(scorer, [short, long, ""], SILENT)
    first = (scorer.bos if scorer.bos is not None else scorer.eos,)
    [[scores]] = scorer.score([Group(first, (scorer.tokenize(short, bos=False),))])
    assert one == pytest.approx(sum(scores), abs=TOLERANCE)
    size = scorer.trained_context - 1
    [[begun]] = scorer.score([Group(first, (tokens[:size],))])
    rest = tokens[size:]
    [[ended]] = scorer.score([Group((first + tokens)[len(tokens) - size : size + 1], (rest,))])
    assert len(begun) + len(ended) == len(tokens)
    assert two == pytest.approx(sum(begun) + sum(ended), abs=1e-6)
    assert nothing == 0


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"prompt": "x", "max_tokens": 256, "temperature": 0.0}),
        (
            {"until": "\n", "max_gen_toks": 8, "do_sample": False, "temperature": 0.7},
            {"prompt": "x", "max_tokens": 8, "temperature": 0.0, "stop": ["\n"]},
        ),
        (
            {"until": ["a", "b"], "do_sample": True, "temperature": 0.5, "top_p": 0.9},
            {"prompt": "x", "max_tokens": 256, "temperature": 0.5, "top_p": 0.9, "stop": ["a", "b"]},
        ),
    ],
)
def test_the_harnesss_words_become_a_request(options: dict[str, object], body: dict[str, object]) -> None:
    assert body_of("x", options) == body


def test_a_text_ends_at_the_first_of_its_ends() -> None:
    assert cut("a b\nc b", ["\n", "b", ""]) == "a "
    assert cut("abc", []) == "abc"
