from __future__ import annotations

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.one_turn import judge
from pipeline.runtime.answer import Answer


@pytest.mark.parametrize(
    "text",
    ["Hello!\nuser\nHow are you?", "Paris.assistant\n\nassistant\n", "Fine.\nUser:\nAnd you?", "a\n### Assistant\n"],
)
def test_a_second_turn(text: str) -> None:
    assert judge(Seen({}, Answer(text)), True) is not None


@pytest.mark.parametrize("text", ["Hello!", "The user is here.", "I am an assistant.", "model railway\nuser guide"])
def test_one_turn(text: str) -> None:
    assert judge(Seen({}, Answer(text)), True) is None


def test_an_answer_of_nothing_but_line_ends_is_soon_judged() -> None:
    """A model that runs away writes such; looking through it took minutes."""
    assert judge(Seen({}, Answer("\n" * 100_000)), True) is None
    assert judge(Seen({}, Answer("\n" * 1000 + "**user**\n\n")), True) is not None
