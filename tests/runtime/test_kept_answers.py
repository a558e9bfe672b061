from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import EngineError
from pipeline.runtime.answer import Answer, Call, Trouble
from pipeline.runtime.kept_answers import Answers
from pipeline.runtime.kept_scores import Scores
from pipeline.runtime.serving import Request
from tests.checks.scripted import Handler, completion
from tests.runtime.test_serving import Count, serving

ASKED = Request({"messages": [{"role": "user", "content": "Größe? 🙂"}], "temperature": 0.0})
SAID = Answer("Paris.", "Let me see: \ud800", (Call("1", "look", '{"a": 1}'),), "tool_calls", 7, ())


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        Answers(scores).put(ASKED, 2, SAID)
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        assert Answers(scores).get(ASKED, 2) == SAID


@pytest.mark.parametrize(
    ("model", "request_", "at_once"),
    [
        ("other", ASKED, 2),
        ("model", Request({**ASKED.body, "temperature": 0.5}), 2),
        ("model", Request(ASKED.body, plain=True), 2),
        ("model", ASKED, 1),
    ],
)
def test_it_is_none_of_another_model_request_or_company(
    tmp_path: Path, model: str, request_: Request, at_once: int
) -> None:
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        Answers(scores).put(ASKED, 2, SAID)
    with Scores(tmp_path / "scores.sqlite", model) as scores:
        assert Answers(scores).get(request_, at_once) is None


def test_what_did_not_come_is_asked_again(tmp_path: Path) -> None:
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        Answers(scores).put(ASKED, 1, Answer(trouble=Trouble("timeout", "no answer")))
        assert Answers(scores).get(ASKED, 1) is None


def test_only_what_is_not_kept_is_asked_in_the_same_order(tmp_path: Path) -> None:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_json(completion(f"answer {body['messages'][0]['content']}"))

    asked = [Request({"messages": [{"role": "user", "content": str(number)}]}) for number in range(8)]
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        kept = Answers(scores)
        with serving(answer, kept=kept) as (server, one):
            one.answers(asked[2:5], task=Count())
            assert len(server.requests) == 3
        count = Count()
        with serving(answer, kept=kept) as (server, one):
            answers = one.answers(asked, task=count)
            assert len(server.requests) == 5 and count.done == 8
    assert [answer.content for answer in answers] == [f"answer {number}" for number in range(8)]


def test_what_came_before_the_server_went_is_kept(tmp_path: Path) -> None:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"] == [3]:
            handler.server.healthy = False
            handler.send_part("{", 100)
        else:
            handler.send_json(completion(f"answer {body['messages'][0]}"))

    asked = [Request({"messages": [number]}) for number in range(6)]
    with Scores(tmp_path / "scores.sqlite", "model") as scores:
        kept = Answers(scores)
        with (
            serving(answer, slots=1, kept=kept) as (_, one),
            pytest.raises(EngineError, match="gone since question 4 of 6"),
        ):
            one.answers(asked, task=Count())
        assert [bool(kept.get(request, 1)) for request in asked] == [True] * 3 + [False] * 3
