from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.core.errors import EngineError
from pipeline.runtime.serving import Request, Serving
from tests.checks.scripted import Handler, Scripted, completion, scripted


class Count:
    def __init__(self) -> None:
        self.done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount


@contextmanager
def serving(answer: Any, **more: Any) -> Iterator[tuple[Scripted, Serving]]:
    with scripted(answer) as (server, client):
        yield server, Serving(client, "small", **{"slots": 4, "timeout": 5.0, **more})


def test_answers_come_in_the_order_of_the_questions_however_they_arrive() -> None:
    first = threading.Event()

    def answer(handler: Handler, body: dict[str, Any]) -> None:
        number = body["messages"][0]["content"]
        if number == "0":
            first.wait(5)  # the first answer comes last
        elif number == "3":
            first.set()
        handler.send_json(completion(f"answer {number}"))

    count = Count()
    with serving(answer) as (server, one):
        asked = [Request({"messages": [{"role": "user", "content": str(number)}]}) for number in range(8)]
        answers = one.answers(asked, task=count)
        assert [answer.content for answer in answers] == [f"answer {number}" for number in range(8)]
        assert {body["model"] for body in server.requests} == {"small"}
    assert count.done == 8


def test_no_more_are_asked_at_once_than_wanted() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def answer(handler: Handler, body: dict[str, Any]) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.05)
        with lock:
            now -= 1
        handler.send_json(completion())

    with serving(answer) as (_, one):
        one.answers([Request({"messages": []})] * 6, at_once=2, task=Count())
    assert most == 2


def test_a_refusal_is_an_answer_and_the_rest_goes_on() -> None:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"]:
            handler.send_json({"error": {"message": "the request exceeds the available context size"}}, 400)
        else:
            handler.send_json(completion("fine"))

    with serving(answer) as (_, one):
        asked = [Request({"messages": [1]}), Request({"messages": []})]
        refused, fine = one.answers(asked, task=Count())
    assert refused.trouble is not None and "exceeds the available context" in refused.trouble.words
    assert fine.content == "fine" and fine.trouble is None


def test_a_server_that_is_gone_ends_it() -> None:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        handler.server.healthy = False
        handler.send_part("{", 100)

    with serving(answer, slots=1) as (server, one):
        with pytest.raises(EngineError, match="gone since question 1 of 50") as raised:
            one.answers([Request({"messages": []})] * 50, task=Count())
        assert raised.value.hint
        assert len(server.requests) < 50


def test_plain_text_goes_to_the_other_place() -> None:
    paths = []

    def answer(handler: Handler, body: dict[str, Any]) -> None:
        paths.append((handler.path, body.get("prompt")))
        handler.send_text(json.dumps({"choices": [{"text": " Paris", "finish_reason": "stop"}]}))

    with serving(answer) as (_, one):
        (answered,) = one.answers([Request({"prompt": "The capital of France is"}, plain=True)], task=Count())
    assert (answered.content, answered.finish_reason) == (" Paris", "stop")
    assert paths == [("/v1/completions", "The capital of France is")]


def test_a_body_that_is_no_completion_is_trouble() -> None:
    with serving(lambda handler, body: handler.send_json({"choices": []})) as (_, one):
        (answered,) = one.answers([Request({"prompt": "x"}, plain=True)], task=Count())
    assert answered.trouble is not None and answered.trouble.grade == "protocol"
