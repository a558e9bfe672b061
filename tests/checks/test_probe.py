from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.checks.probe import NoAnswer, Probe
from tests.checks.scripted import scripted
from tests.conftest import Serve

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello!"}]}


def test_prompt_tokens_and_answer_of_the_real_server(serve: Serve, tiny_chat: Path) -> None:
    probe = Probe(serve(tiny_chat), 30.0)
    prompt = probe.prompt(HELLO)
    assert prompt == "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"
    assert len(probe.tokens("<|im_end|>")) == 1 < len(probe.tokens("<|im_end|>", special=False))
    assert probe.ask({**HELLO, "max_tokens": 3, "temperature": 0}).tokens == 3


@pytest.mark.parametrize(
    ("body", "status", "grade"),
    [
        ({"error": {"message": "no"}}, 500, "http_error"),
        ({"error": {"message": "Jinja Exception: no"}}, 400, "http_error"),
        ({}, 200, "protocol"),
        ([], 200, "protocol"),
    ],
)
def test_a_server_that_can_not_say(body: object, status: int, grade: str) -> None:
    with scripted(lambda handler, _: handler.send_json(body, status)) as (_, client):
        for ask in (lambda: Probe(client, 5.0).prompt(HELLO), lambda: Probe(client, 5.0).tokens("x")):
            with pytest.raises(NoAnswer) as caught:
                ask()
            assert caught.value.trouble.grade == grade
            assert caught.value.trouble.template is ("Jinja" in str(body))


def test_nobody_there() -> None:
    with httpx.Client(base_url="http://127.0.0.1:1", trust_env=False) as client, pytest.raises(NoAnswer) as caught:
        Probe(client, 5.0).ask(HELLO)
    assert caught.value.trouble.grade == "server_crash"
