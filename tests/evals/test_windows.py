from __future__ import annotations

import pytest

from pipeline.core.errors import UsageError
from pipeline.evals.windows import windows


def test_the_second_half_of_each_window_is_scored() -> None:
    pieces = windows(tuple(range(100, 126)), None, 12)
    assert [(piece.group.prefix, piece.group.suffixes) for piece in pieces] == [
        (tuple(range(100, 107)), (tuple(range(107, 112)),)),
        (tuple(range(112, 119)), (tuple(range(119, 124)),)),
    ]
    assert pieces[1].text == "tokens 19 to 23"


def test_bos_takes_the_place_of_the_first_token_of_each() -> None:
    pieces = windows(tuple(range(100, 126)), 1, 12)
    assert [piece.group.prefix[:2] for piece in pieces] == [(1, 101), (1, 113)]


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(UsageError, match="has 5 tokens, less than one window of 8"):
        windows((1, 2, 3, 4, 5), None, 8)
