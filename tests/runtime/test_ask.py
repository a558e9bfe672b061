"""Broken servers, over real HTTP: each becomes an answer with trouble, soon."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from pipeline.runtime import ask as asking
from pipeline.runtime.ask import ask, ask_stream, healthy, template_caps
from tests.checks.scripted import Handler, completion, scripted, sse

Body = dict[str, Any]


def test_a_whole_and_a_streamed_answer() -> None:
    def answer(handler: Handler, body: Body) -> None:
        if body["stream"]:
            handler.send_text(sse({"content": "O"}, {"content": "K"}), kind="text/event-stream")
        else:
            handler.send_json(completion("OK"))

    with scripted(answer) as (server, client):
        whole, streamed = ask(client, {"messages": []}, timeout=5), ask_stream(client, {"messages": []}, timeout=5)
    assert whole.content == streamed.content == "OK"
    assert whole.raw["body"] == completion("OK")
    assert [request["stream"] for request in server.requests] == [False, True]


def test_separators_of_unicode_in_an_answer_end_no_event() -> None:
    said = "one\u2028two\u2029three\x85four"
    stream = sse({"content": "SAID"}).replace("SAID", said)  # as llama-server writes them: not escaped
    with scripted(lambda handler, body: handler.send_text(stream, kind="text/event-stream")) as (_, client):
        answer = ask_stream(client, {"messages": []}, timeout=5)
    assert answer.content == said
    assert not answer.problems and not answer.trouble


def test_a_refusal_says_why() -> None:
    with scripted(
        lambda handler, body: handler.send_json({"error": {"code": 500, "message": "out of\nmemory"}}, 500)
    ) as (_, client):
        trouble = ask(client, {}, timeout=5).trouble
    assert trouble is not None
    assert (trouble.grade, trouble.words, trouble.template) == (
        "http_error",
        "the server answered 500: out of memory",
        False,
    )


def test_a_refusal_for_the_template_is_told_apart() -> None:
    # llama-server's own words for a template that raises.
    message = "Unable to generate parser for this template. … Error: Jinja Exception: no booms please"
    with scripted(lambda handler, body: handler.send_json({"error": {"code": 400, "message": message}}, 400)) as (
        _,
        client,
    ):
        trouble = ask(client, {}, timeout=5).trouble
    assert trouble is not None and trouble.grade == "http_error" and trouble.template


def test_a_refusal_without_json_is_kept() -> None:
    with scripted(lambda handler, body: handler.send_text("Bad Gateway", 502)) as (_, client):
        answer = ask(client, {}, timeout=5)
    assert answer.trouble is not None and answer.trouble.words == "the server answered 502: Bad Gateway"
    assert answer.raw == {"status": 502, "body": "Bad Gateway"}


def test_a_hang_ends_in_time() -> None:
    with scripted(lambda handler, body: handler.server.stopping.wait(10)) as (_, client):
        began = time.monotonic()
        trouble = ask(client, {}, timeout=0.3).trouble
        assert time.monotonic() - began < 2
    assert trouble is not None and trouble.grade == "timeout"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_drip_ends_in_time(streamed: bool) -> None:
    def drip(handler: Handler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not handler.server.stopping.wait(0.05):
            try:
                handler.wfile.write(b": ping\n\n")
            except OSError:
                break
        handler.close_connection = True

    with scripted(drip) as (_, client):
        began = time.monotonic()
        trouble = (ask_stream if streamed else ask)(client, {}, timeout=0.4).trouble
        assert time.monotonic() - began < 2
    assert trouble is not None and trouble.grade == "timeout"


def test_a_hang_up_in_the_middle_of_a_body() -> None:
    with scripted(lambda handler, body: handler.send_part('{"choices": [', 1000)) as (_, client):
        trouble = ask(client, {}, timeout=5).trouble
    assert trouble is not None and trouble.grade == "server_crash"


def test_a_hang_up_in_the_middle_of_a_stream_keeps_what_came() -> None:
    with scripted(lambda handler, body: handler.send_part(sse({"content": "The cap"}, done=False), 100_000)) as (
        _,
        client,
    ):
        answer = ask_stream(client, {}, timeout=5)
    assert answer.trouble is not None and answer.trouble.grade == "server_crash"
    assert answer.content == "The cap"


@pytest.mark.parametrize("text", ["", "hello", "{", "[" * 100_000])
def test_a_body_that_is_not_json(text: str) -> None:
    with scripted(lambda handler, body: handler.send_text(text)) as (_, client):
        trouble = ask(client, {}, timeout=5).trouble
    assert trouble is not None and trouble.grade == "protocol"


def test_an_endless_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST", 10_000)
    with scripted(lambda handler, body: handler.send_text("x" * 100_000)) as (_, client):
        trouble = ask(client, {}, timeout=5).trouble
    assert trouble is not None and "larger than" in trouble.words


def test_nobody_there() -> None:
    with httpx.Client(base_url="http://127.0.0.1:1", trust_env=False) as client:
        trouble = ask(client, {}, timeout=5).trouble
        assert trouble is not None and trouble.grade == "server_crash"
        assert healthy(client) is False
        assert template_caps(client) == {}


def test_health_and_caps() -> None:
    with scripted(lambda handler, body: None) as (server, client):
        assert healthy(client) is True
        assert template_caps(client) == {"supports_tools": True}
        server.healthy = False
        assert healthy(client) is False
        assert template_caps(client) == {}
