from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline.core.errors import EngineError, UsageError
from pipeline.runtime.binding import Scorer
from pipeline.runtime.build import find_engine
from pipeline.runtime.packing import PACKED, Group, Packing, packs
from tests.damaged import with_nan

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
QUESTION = "<|im_start|>user\nWhat is the capital of {}?<|im_end|>\n<|im_start|>assistant\n"
COUNTRIES = ("France", "Italy", "Spain", "Germany", "Japan", "Egypt", "Norway", "Greece", "Portugal", "Austria")
CITIES = ("Paris", "Rome", "Oslo")
# Nats a token. Activations are quantised too, and their sums depend on the batch's shape: seen up to 0.03 with Q8_0.
TOLERANCE = 0.1


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def groups(scorer: Scorer) -> list[Group]:
    answers = {country: [f"The capital of {country} is {city}.<|im_end|>" for city in CITIES] for country in COUNTRIES}
    return [scorer.group(QUESTION.format(country), texts, special=True) for country, texts in answers.items()]


def test_probabilities_of_all_next_tokens_sum_to_one(scorer: Scorer) -> None:
    prefix = scorer.tokenize("The capital of France is", special=True)
    every = [(token,) for token in range(scorer.vocabulary)]
    parts = [Group(prefix, tuple(every[i : i + 64])) for i in range(0, len(every), 64)]
    total = sum(math.exp(logprob) for part in scorer.score(parts) for (logprob,) in part)
    assert total == pytest.approx(1, abs=1e-4)


def test_packed_scores_agree_with_one_sequence_at_a_time(scorer: Scorer, groups: list[Group]) -> None:
    packed = list(scorer.score(groups))
    with Scorer(WEIGHTS, threads=1, pack=False) as naive:
        alone = list(naive.score(groups))
    for group, ours, theirs in zip(groups, packed, alone, strict=True):
        assert [len(score) for score in ours] == [len(suffix) for suffix in group.suffixes]
        for mine, its in zip(ours, theirs, strict=True):
            assert mine == pytest.approx(its, abs=TOLERANCE)


def test_equal_input_gives_equal_numbers(scorer: Scorer, groups: list[Group]) -> None:
    assert list(scorer.score(groups)) == list(scorer.score(iter(groups)))


def test_many_packs_and_long_texts_keep_their_order(scorer: Scorer, groups: list[Group]) -> None:
    """Several packs, with a group longer than one batch in the middle."""
    long = Group(scorer.tokenize("word " * 700)[:700], ((5, 6, 7),))
    assert len(list(packs(groups * 4))) > 2
    many = list(scorer.score([*groups * 4, long, *groups * 4]))
    once = list(scorer.score(groups))
    for result, expected in zip(many[: len(groups)], once, strict=True):
        for mine, its in zip(result, expected, strict=True):
            assert mine == pytest.approx(its, abs=TOLERANCE)
    assert [len(suffix) for suffix in many[len(groups) * 4]] == [3]
    assert len(many) == len(groups) * 8 + 1


def test_a_pack_has_the_same_bits_whatever_was_decoded_before_it(scorer: Scorer) -> None:
    """Also where its beginning is still in the cache, and where the cache is larger than it needs."""
    groups = few_shot(scorer, 63)
    first, *rest = packs(groups)
    assert len(rest) > 1 and {pack.shared for pack in rest} == {first.shared} and len(first.shared) > 60
    whole = list(scorer.score(groups))
    last = rest[-1]
    assert list(scorer.score(last.groups)) == whole[last.first :]
    huge = Group(tuple([5] * 900), tuple((6, 7 + i) for i in range(70)))
    assert list(scorer.score([huge, *last.groups], Packing(block=1)))[1:] == list(
        scorer.score(last.groups, Packing(block=1))
    )


def test_groups_are_taken_a_block_at_a_time(scorer: Scorer) -> None:
    """However many there are, no more than a block of them is held."""
    taken: list[Group] = []

    def endless() -> Iterator[Group]:
        for number in count():
            taken.append(Group((1 + number % 100, 2, 3), ((4,), (5,))))
            yield taken[-1]

    scored = scorer.score(endless())
    for _ in range(200):
        next(scored)
    assert len(taken) <= 200 + PACKED.block


def few_shot(scorer: Scorer, number: int) -> list[Group]:
    shots = "".join(f"Question: How do you spell {city}?\nAnswer: {city}\n\n" for city in CITIES * 3)
    return [
        scorer.group(f"{shots}Question: What is {i} plus {i + 1}?\nAnswer:", [" seven", " eleven", " one"])
        for i in range(number)
    ]


def test_a_sequence_scores_as_the_sum_of_its_steps(scorer: Scorer) -> None:
    prefix, (a, b, c) = scorer.tokenize("What is the capital"), scorer.tokenize(" of France")[:3]
    [[whole]] = scorer.score([Group(prefix, ((a, b, c),))])
    parts = [Group(prefix, ((a,),)), Group((*prefix, a), ((b,),)), Group((*prefix, a, b), ((c,),))]
    steps = list(scorer.score(parts))
    assert whole == pytest.approx([step[0][0] for step in steps], abs=TOLERANCE)


def test_a_continuation_that_joins_the_context_is_split_where_the_whole_text_splits(scorer: Scorer) -> None:
    context, continuations = "What is the capi", ["tal of France?", "xyz"]
    group = scorer.group(context, continuations)
    for suffix, continuation in zip(group.suffixes, continuations, strict=True):
        assert group.prefix + suffix == scorer.tokenize(context + continuation)
    assert len(group.prefix) < len(scorer.tokenize(context)), "this test wants a context whose last token is joined"


def test_tokens_are_those_of_llama_tokenize(scorer: Scorer) -> None:
    text = "Hello <|im_end|> What's 12 + 7? Zürich, 東京\n\n  ok"
    tool = find_engine().tool("llama-tokenize")
    argv: list[str | Path] = [tool, "-m", WEIGHTS, "-p", text, "--ids", "--no-escape", "--log-disable"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env=find_engine().environment).stdout
    assert str(list(scorer.tokenize(text, special=True))) in said


def test_special_tokens_are_read_only_on_request(scorer: Scorer) -> None:
    assert len(scorer.tokenize("<|im_end|>", special=True)) == 1
    assert len(scorer.tokenize("<|im_end|>")) > 1
    text = "An owl says hoot. Zürich!"
    assert sum(map(scorer.piece_bytes, scorer.tokenize(text, bos=False))) == len(text.encode())


def test_overrides_take_the_place_of_the_files_metadata(scorer: Scorer) -> None:
    key = "tokenizer.ggml.add_bos_token"
    with Scorer(WEIGHTS, threads=1, overrides={key: True, "tokenizer.ggml.bos_token_id": 798}) as other:
        assert (scorer.bos, other.bos) == (None, 798)
        assert other.tokenize("Hello!") == (798, *scorer.tokenize("Hello!"))
    with pytest.raises(EngineError, match="unknown pre-tokenizer"):
        Scorer(WEIGHTS, threads=1, overrides={"tokenizer.ggml.pre": "qwen99", "tokenizer.ggml.eos_token_id": 1})


def test_nothing_to_score_or_to_condition_on_is_refused(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="nothing to score"):
        scorer.group("context", ["good", ""])
    with pytest.raises(UsageError, match="no token stands before"):
        scorer.group("", ["alone"])
    assert list(scorer.score([])) == []


def test_a_sequence_longer_than_the_trained_context_is_refused(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="sequence 2 has 1025 tokens; the model was trained for 1024"):
        list(scorer.score([Group((1,), ((2,),)), Group((1,) * 1024, ((2,),))]))
    assert scorer.too_long(Group((1,) * 1023, ((2,),))) is None


def test_more_sequences_than_llama_cpp_has_is_an_engine_error(scorer: Scorer) -> None:
    with pytest.raises(EngineError, match="n_seq_max must be <= 256"):
        list(scorer.score([Group((1,), ((2,),) * 300)]))


def test_weights_that_are_no_model_are_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such file"):
        Scorer(tmp_path / "missing.gguf", threads=1)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(WEIGHTS.read_bytes()[:100_000])
    with pytest.raises(EngineError, match=r"can't load .*broken\.gguf: .+") as raised:
        Scorer(broken, threads=1)
    assert raised.value.hint


def test_llama_cpp_keeps_quiet(capfd: pytest.CaptureFixture[str], groups: list[Group]) -> None:
    with Scorer(WEIGHTS, threads=1) as opened:
        list(opened.score(groups[:1]))
    assert capfd.readouterr() == ("", "")


def test_a_closed_scorer_says_so(groups: list[Group]) -> None:
    with Scorer(WEIGHTS, threads=1) as opened:
        pass
    with pytest.raises(ValueError, match="closed"):
        opened.tokenize("text")
    with pytest.raises(ValueError, match="closed"):
        list(opened.score(groups))


def test_in_f32_packing_changes_next_to_nothing(tmp_path: Path) -> None:
    """Weights and KV cache without quantisation: what is left of the differences is the order of sums."""
    exact, engine = tmp_path / "f32.gguf", find_engine()
    argv: list[str | Path] = [engine.tool("llama-quantize"), "--allow-requantize"]
    subprocess.run(
        [*argv, WEIGHTS.with_name("tiny-chat-f16.gguf"), exact, "F32"],
        check=True,
        capture_output=True,
        env=engine.environment,
    )
    with Scorer(exact, threads=1, exact=True) as one, Scorer(exact, threads=1, exact=True, pack=False) as naive:
        made = few_shot(one, 20)
        for ours, theirs in zip(one.score(made), naive.score(made), strict=True):
            for mine, its in zip(ours, theirs, strict=True):
                assert mine == pytest.approx(its, abs=0.001)
                assert sum(mine) == pytest.approx(sum(its), abs=0.01)


def test_logits_that_are_not_numbers_give_no_score(tmp_path: Path) -> None:
    with Scorer(with_nan(WEIGHTS, tmp_path / "nan.gguf"), threads=1) as damaged:
        with pytest.raises(EngineError, match="not numbers"):
            list(damaged.score([damaged.group("The capital of France is", [" Paris", " Rome"])]))
        with pytest.raises(EngineError, match="no direction"):
            list(damaged.embed([damaged.tokenize("Paris")], "mean"))
