"""One stream, timed against the times at which a server on loopback wrote it."""

from __future__ import annotations

from itertools import pairwise

import httpx
import pytest

from pipeline.bench.stats import median
from pipeline.bench.stream import Timed, timed_stream
from tests.bench.sse import DONE, Script, event, served, usage

TOKENS = 8


def timed(script: Script, seconds: float = 20.0) -> Timed:
    with served(script) as client:
        return timed_stream(client, "/v1/chat/completions", {}, timeout=httpx.Timeout(seconds))


def slow(first: float = 0.3, gap: float = 0.05) -> Script:
    return Script(
        [
            (0, event()),
            (first, event("a")),
            *((gap, event("b")) for _ in range(TOKENS - 1)),
            (0, usage(TOKENS)),
            (0, DONE),
        ]
    )


def test_the_first_token_is_the_first_text_and_not_the_role() -> None:
    script = slow()
    result = timed(script)
    assert result.error == ""
    role, first = script.written[:2]
    assert first - role >= 0.3
    assert result.ttft >= first - role
    assert result.arrivals[0] == pytest.approx(first, abs=0.04)


def test_inter_token_latency_is_what_the_server_wrote() -> None:
    script = slow()
    result = timed(script)
    wrote = script.written[1 : 1 + TOKENS]
    assert len(result.gaps) == TOKENS - 1
    assert median(result.gaps) == pytest.approx(median([b - a for a, b in pairwise(wrote)]), abs=0.015)
    assert result.decode_rate == pytest.approx((TOKENS - 1) / (wrote[-1] - wrote[0]), rel=0.15)


def test_counts_are_the_servers() -> None:
    result = timed(Script([(0, event("two tokens")), (0, event("")), (0, usage(3)), (0, DONE)]))
    assert (len(result.arrivals), result.tokens, result.prompt_tokens, result.cached_tokens) == (1, 3, 7, 2)


def test_reasoning_and_plain_text_are_text() -> None:
    reasoning = event().replace('"role": "assistant"', '"reasoning_content": "hm"')
    plain = 'data: {"choices": [{"text": "x", "finish_reason": "length"}]}\n\n'
    result = timed(Script([(0, reasoning), (0.1, plain), (0, usage(2)), (0, DONE)]))
    assert len(result.arrivals) == 2
    assert result.finish_reason == "length"


def test_an_event_in_pieces_is_timed_at_its_last() -> None:
    whole = event("a")
    script = Script([(0, whole[:20]), (0.2, whole[20:]), (0, usage(1)), (0, DONE)])
    result = timed(script)
    assert result.ttft >= 0.2


def test_a_reader_that_fell_behind_takes_the_servers_times() -> None:
    burst = "".join(event("x", timings={"predicted_ms": 20.0 * number}) for number in range(TOKENS))
    result = timed(Script([(0, burst), (0, usage(TOKENS)), (0, DONE)]))
    assert result.behind
    assert result.gaps == pytest.approx([0.02] * (TOKENS - 1))
    assert result.decode_rate == pytest.approx(50)


def test_a_reader_in_time_keeps_its_own() -> None:
    steps = [(0.05, event("x", timings={"predicted_ms": 50.0 * number})) for number in range(TOKENS)]
    result = timed(Script([*steps, (0, usage(TOKENS)), (0, DONE)]))
    assert not result.behind
    assert result.gaps == tuple(b - a for a, b in pairwise(result.arrivals))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script([], failing=(0,)), "HTTP 503: busy"),
        (Script([(0, event("a")), (0, usage(1))]), "the stream ended without [DONE]"),
        (Script([(0, event("a"))], abrupt=True), "RemoteProtocolError"),
        (Script([(0, event()), (0, usage(0)), (0, DONE)]), "no text came"),
        (Script([(0, event("a")), (0, DONE)]), "the server did not say how many tokens it made"),
        (Script([(0, 'data: {"error": {"message": "out of memory"}}\n\n')]), "error in the stream: "),
        (Script([(0, "data: {nonsense\n\n")]), "an event that is no completion chunk"),
        (Script([(0, "data: 3\n\n")]), "an event that is no completion chunk"),
    ],
)
def test_every_failure_is_said(script: Script, error: str) -> None:
    assert timed(script).error.startswith(error)


def test_a_server_that_stalls_is_not_waited_for() -> None:
    assert timed(Script([(0, event("a")), (1.5, DONE)]), seconds=0.3).error.startswith("ReadTimeout")


def test_nobody_listening_is_a_failure() -> None:
    with httpx.Client(base_url="http://127.0.0.1:9", trust_env=False) as client:
        result = timed_stream(client, "/v1/completions", {}, timeout=httpx.Timeout(2))
    assert result.error.startswith("ConnectError")
