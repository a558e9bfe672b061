"""The suites on tiny-chat, through the real server."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pipeline.checks.engine import load_suite, run_suite
from pipeline.checks.model import Outcome, Verdict
from pipeline.runtime.ask import template_caps
from pipeline.spec.model import Sampling
from tests.conftest import ROOT, Serve

SUITES = ROOT / "evals"


def run(name: str, client: httpx.Client) -> tuple[Outcome, ...]:
    return run_suite(load_suite(SUITES / name), client, model="model", sampling=Sampling().model_dump()).outcomes


@pytest.fixture(scope="module")
def tiny(serve: Serve, tiny_chat: Path) -> httpx.Client:
    return serve(tiny_chat)


@pytest.fixture(scope="module")
def outcomes(tiny: httpx.Client) -> tuple[Outcome, ...]:
    return run("stop-tokens", tiny) + run("tool-calling", tiny)


@pytest.mark.parametrize("group", ["stop_tokens", "tool_calling"])
def test_tiny_chat_passes(outcomes: tuple[Outcome, ...], group: str) -> None:
    found = [outcome for outcome in outcomes if outcome.group == group]
    assert len(found) >= 12
    assert [f"{outcome.case}: {outcome.diagnosis}" for outcome in found if outcome.verdict is not Verdict.PASS] == []


def test_limits_of_the_engine_are_not_blamed_on_the_model(outcomes: tuple[Outcome, ...]) -> None:
    limits = {outcome.case: outcome for outcome in outcomes if outcome.group == "tool_choice"}
    named = limits["named_where_another_fits"]
    assert (named.verdict, named.diagnosis) == (
        Verdict.UNKNOWN,
        "engine_limit: tool_choice naming get_time was taken as auto: get_weather was called",
    )
    assert limits["none_where_one_fits"].verdict is Verdict.UNKNOWN
    assert limits["named_where_it_fits"].verdict is Verdict.PASS


def test_a_second_run_says_the_same(outcomes: tuple[Outcome, ...], tiny: httpx.Client) -> None:
    again = run("stop-tokens", tiny)
    assert [(o.case, o.verdict, o.diagnosis) for o in again] == [
        (o.case, o.verdict, o.diagnosis) for o in outcomes[: len(again)]
    ]


def test_llama_server_finds_the_tool_format_of_the_template(tiny: httpx.Client) -> None:
    caps = template_caps(tiny)
    assert {name for name, able in caps.items() if able} >= {
        "supports_tools",
        "supports_tool_calls",
        "supports_parallel_tool_calls",
        "supports_system_role",
    }


def test_a_template_without_tools_is_found_out(
    serve: Serve, tiny_chat: Path, tmp_path: Path, outcomes: tuple[Outcome, ...]
) -> None:
    template = tmp_path / "plain.jinja"
    template.write_text(
        "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
    )
    client = serve(tiny_chat, template=template)
    as_before = [outcome.verdict for outcome in outcomes if outcome.group == "stop_tokens"]
    assert [outcome.verdict for outcome in run("stop-tokens", client)] == as_before
    tools = [outcome for outcome in run("tool-calling", client) if outcome.group == "tool_calling"]
    assert Verdict.PASS not in {outcome.verdict for outcome in tools}
    assert all("never saw the tools" in outcome.diagnosis for outcome in tools)


def test_a_template_that_never_ends_its_turns_is_found_out(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    template = tmp_path / "open.jinja"
    template.write_text(
        "{%- for message in messages -%}{{ message.role + ': ' + message.content + '\\n' }}{%- endfor -%}assistant: "
    )
    verdicts = {outcome.verdict for outcome in run("stop-tokens", serve(tiny_chat, template=template))}
    assert Verdict.FAIL in verdicts
