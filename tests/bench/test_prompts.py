"""Prompts: natural, sized, and never twice the same."""

from __future__ import annotations

from pipeline.bench.prompts import sized, text


def words(content: str) -> int:
    return len(content.split())


def test_equal_arguments_give_equal_prompts() -> None:
    assert text(0, 3, 200) == text(0, 3, 200)


def test_no_two_begin_alike() -> None:
    beginnings = {text(seed, number, 50)[:12] for seed in range(2) for number in range(100)}
    assert len(beginnings) == 200


def test_a_prompt_has_the_size_asked_for() -> None:
    for tokens in (1, 2, 17, 128, 2000):
        assert words(sized(0, 0, tokens, words)) == tokens


def test_a_prompt_fits_where_words_are_many_tokens() -> None:
    assert 100 <= len(sized(0, 1, 120, len)) <= 120
