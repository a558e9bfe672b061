from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import UsageError
from pipeline.evals.asking import Asked, request_of, require_fit, together
from tests.evals.kinds.server import says

HEAD = {"kind": "any", "version": "1", "license": "CC0-1.0", "source": "a test", "description": "nothing"}


def asked(**changes: Any) -> Asked:
    return Asked.model_validate({**HEAD, **changes})


def test_the_lock_s_sampling_goes_out_greedily_or_as_it_is() -> None:
    with says("x") as (_, server):
        greedy = request_of(asked(), server, "Hi").body
        locked = request_of(asked(decoding="locked"), server, "Hi").body
    assert greedy["temperature"] == 0 and locked["temperature"] == 0.7
    for body in (greedy, locked):
        assert (body["top_k"], body["seed"], body["max_tokens"], body["cache_prompt"]) == (40, 3, 256, False)
        assert "stop" not in body, "the lock's own stop strings hold only where a request names none"


def test_a_conversation_and_what_else_is_asked_go_into_the_body() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with says("x") as (_, server):
        body = request_of(asked(system="Be brief."), server, "", messages=turns, tools=[]).body
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, *turns]
    assert body["tools"] == []


def test_plain_text_has_its_own_stop_strings() -> None:
    with says("x") as (_, server):
        request = request_of(asked(prompt="plain", stop=["\n"]), server, "Hi")
    assert request.plain and request.body["prompt"] == "Hi" and request.body["stop"] == ["\n"]
    assert "messages" not in request.body


def test_no_template_no_chat() -> None:
    with says("x", template=False) as (_, server):
        with pytest.raises(UsageError, match="has no chat template") as raised:
            require_fit(asked(), server)
        assert "prompt: plain" in raised.value.hint
        require_fit(asked(prompt="plain"), server)


def test_one_request_for_each_slot_unless_the_suite_says() -> None:
    with says("x", slots=6) as (_, server):
        assert together(asked(), server) == 6
        assert together(asked(at_once=1), server) == 1


@pytest.mark.parametrize("changes", [{"at_once": 0}, {"max_tokens": 0}, {"stop": ["x"]}, {"decoding": "warm"}])
def test_faulty_suites_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        asked(**changes)
