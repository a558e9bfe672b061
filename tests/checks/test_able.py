from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.able import Able, able
from pipeline.checks.model import Verdict
from pipeline.checks.options import Requires
from pipeline.checks.probe import Probe
from tests.checks.scripted import Handler, scripted
from tests.conftest import Serve

SWITCHED = "{% if enable_thinking %}<think>{% endif %}"
NOT_SAID = Able()
SMALL = Able(tools=True, parallel_calls=False, reasoning=False, reasoning_switch=False, context=1024)


@pytest.mark.parametrize(
    ("requires", "known", "verdict"),
    [
        (Requires(), NOT_SAID, None),
        (Requires(tools=True, context=1024), SMALL, None),
        (Requires(reasoning=True), SMALL, Verdict.SKIP),
        (Requires(reasoning_switch=True), SMALL, Verdict.SKIP),
        (Requires(parallel_calls=True), SMALL, Verdict.SKIP),
        (Requires(context=1025), SMALL, Verdict.SKIP),
        (Requires(tools=True), NOT_SAID, Verdict.UNKNOWN),
        (Requires(context=5), NOT_SAID, Verdict.UNKNOWN),
    ],
)
def test_what_a_model_lacks_is_skipped_and_what_nobody_says_unknown(
    requires: Requires, known: Able, verdict: Verdict | None
) -> None:
    fault = known.lacks(requires)
    assert (fault.verdict if fault else None) == verdict


def test_the_reason_is_in_words() -> None:
    fault = SMALL.lacks(Requires(context=8192))
    assert str(fault) == "not_applicable: a request has 1024 tokens of context here, and this case wants 8192"


def test_the_switch_counts_where_it_changes_the_prompt() -> None:
    def reply(handler: Handler, body: dict[str, Any]) -> None:
        on = body["chat_template_kwargs"]["enable_thinking"]
        handler.send_json({"prompt": "<think>" if on and handler.server.template == SWITCHED else ""})

    with scripted(reply) as (server, client):
        server.template, server.caps = SWITCHED, {}
        known = able(Probe(client, 5.0))
        assert (known.reasoning, known.reasoning_switch, known.tools) == (True, True, None)
        server.template = "{{ enable_thinking }}"
        assert able(Probe(client, 5.0)).reasoning_switch is False


def test_tiny_chat_has_tools_and_no_reasoning(serve: Serve, tiny_chat: Path) -> None:
    known = able(Probe(serve(tiny_chat, context=512), 30.0))
    assert (known.tools, known.parallel_calls, known.reasoning, known.reasoning_switch) == (True, True, False, False)
    assert known.context == 512 and "<tool_call>" in known.template
