"""The suites on tiny-chat, through the real server."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pipeline.checks.diagnose import GRADES
from pipeline.checks.engine import Checked, load_suite, run_suite
from pipeline.checks.model import Outcome, Verdict
from pipeline.gate.groups import judge_group
from pipeline.runtime.ask import template_caps
from pipeline.spec.gates import Group
from pipeline.spec.load import read_spec
from pipeline.spec.model import Sampling
from tests.conftest import ROOT, Serve

SUITES = ROOT / "evals"
SPEC = read_spec(ROOT / "specs" / "tiny-chat.yaml")


def check(name: str, client: httpx.Client) -> Checked:
    return run_suite(load_suite(SUITES / name), client, model="model", sampling=Sampling().model_dump())


def run(name: str, client: httpx.Client) -> tuple[Outcome, ...]:
    return check(name, client).outcomes


@pytest.fixture(scope="module")
def tiny(serve: Serve, tiny_chat: Path) -> httpx.Client:
    return serve(tiny_chat)


@pytest.fixture(scope="module")
def outcomes(tiny: httpx.Client) -> tuple[Outcome, ...]:
    return tuple(outcome for name in SPEC.checks for outcome in run(name, tiny))


@pytest.mark.parametrize("group", SPEC.gates.checks, ids=lambda group: group.group)
def test_tiny_chat_passes_the_gates_of_its_spec(outcomes: tuple[Outcome, ...], group: Group) -> None:
    reason = judge_group(group, outcomes)
    assert reason.verdict is Verdict.PASS, reason


@pytest.mark.parametrize("group", ["stop_tokens", "tool_calling"])
def test_tiny_chat_passes_every_case_of_what_it_was_taught(outcomes: tuple[Outcome, ...], group: str) -> None:
    found = [outcome for outcome in outcomes if outcome.group == group]
    assert len(found) >= 12
    assert [f"{outcome.name}: {outcome.diagnosis}" for outcome in found if outcome.verdict is not Verdict.PASS] == []


def test_every_outcome_has_a_grade_and_every_case_was_streamed_too(outcomes: tuple[Outcome, ...]) -> None:
    assert {outcome.grade for outcome in outcomes} <= set(GRADES)
    assert {outcome.grade for outcome in outcomes} >= {"structured", "answered", "engine_limit", "injection"}
    first = [outcome for outcome in outcomes if outcome.attempt == 1 and outcome.verdict is not Verdict.SKIP]
    assert all("stream" in outcome.response for outcome in first)
    assert not any("stream" in outcome.response for outcome in outcomes if outcome.attempt > 1)


def test_weaknesses_are_told_as_they_are(outcomes: tuple[Outcome, ...]) -> None:
    found = {outcome.case: outcome for outcome in outcomes}
    assert (found["missing_information"].verdict, found["missing_information"].grade) == (Verdict.FAIL, "text")
    assert (found["chain"].verdict, found["chain"].grade) == (Verdict.FAIL, "no_call")
    assert (found["long_prompt"].verdict, found["long_prompt"].grade) == (Verdict.SKIP, "not_applicable")
    assert (found["markers_in_a_message"].verdict, found["markers_in_a_message"].grade) == (
        Verdict.UNKNOWN,
        "injection",
    )


def test_limits_of_the_engine_are_not_blamed_on_the_model(outcomes: tuple[Outcome, ...]) -> None:
    limits = {outcome.case: outcome for outcome in outcomes if outcome.group == "tool_choice"}
    named = limits["named_where_another_fits"]
    assert (named.verdict, named.diagnosis) == (
        Verdict.UNKNOWN,
        "engine_limit: tool_choice naming get_time was taken as auto: get_weather was called",
    )
    assert limits["none_where_one_fits"].verdict is Verdict.UNKNOWN
    assert limits["one_call_at_a_time"].grade == "engine_limit"
    assert limits["named_where_it_fits"].verdict is Verdict.PASS


def test_a_second_run_says_the_same(outcomes: tuple[Outcome, ...], tiny: httpx.Client) -> None:
    again = run("robustness", tiny)
    before = [outcome for outcome in outcomes if outcome.suite == "robustness"]
    assert [(o.name, o.verdict, o.diagnosis) for o in again] == [(o.name, o.verdict, o.diagnosis) for o in before]


def test_suites_for_what_a_model_does_not_claim_are_skipped_with_the_reason(tiny: httpx.Client) -> None:
    for name, reason in [("reasoning", "its chat template has no reasoning"), ("many-tools", "1024 tokens of context")]:
        checked = check(name, tiny)
        assert {outcome.verdict for outcome in checked.outcomes} == {Verdict.SKIP}
        assert all(reason in outcome.diagnosis for outcome in checked.outcomes)
        assert checked.causes == ()


def test_json_under_a_schema_fits_it_or_never_ends(tiny: httpx.Client) -> None:
    """The engine holds even a model that was never taught JSON to a schema; all that model can do is not to stop."""
    found = [one for one in run("structured-output", tiny) if one.group in ("structured_output", "schema_stress")]
    assert {outcome.grade for outcome in found} == {"answered", "runaway"}
    assert sum(outcome.verdict is Verdict.PASS for outcome in found) >= 10


def test_seeds_are_drawn_at_the_specs_sampling(tiny: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        'kind: behaviour\nversion: "1"\nlicense: CC0-1.0\nsource: here\ngroup: g\nrepeat: {greedy: 2, seeds: 3}\n'
        "sampling: {temperature: 0, seed: 0}\nexpect: {finish: stop}\n"
        "cases: [{id: joke, about: x, turns: [{user: Tell me a joke.}]}]\n"
    )
    warm = Sampling(temperature=1.5, seed=40).model_dump()
    found = run_suite(load_suite(tmp_path), tiny, model="model", sampling=warm).outcomes
    assert [(one.name, one.request["temperature"], one.request["seed"]) for one in found] == [
        ("joke", 0.0, 0),
        ("joke (again, 2)", 0.0, 0),
        ("joke (seed 1)", 1.5, 41),
        ("joke (seed 2)", 1.5, 42),
        ("joke (seed 3)", 1.5, 43),
    ]
    assert len({one.diagnosis for one in found[:2]}) == 1


def test_llama_server_finds_the_tool_format_of_the_template(tiny: httpx.Client) -> None:
    caps = template_caps(tiny)
    assert {name for name, able in caps.items() if able} >= {
        "supports_tools",
        "supports_tool_calls",
        "supports_parallel_tool_calls",
        "supports_system_role",
    }


def test_a_template_without_tools_is_found_out(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    template = tmp_path / "plain.jinja"
    template.write_text(
        "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
    )
    checked = check("tool-calling", serve(tiny_chat, template=template))
    tools = [outcome for outcome in checked.outcomes if outcome.group == "tool_calling"]
    assert Verdict.PASS not in {outcome.verdict for outcome in tools}
    assert all("never saw the tools" in outcome.diagnosis for outcome in tools)
    assert checked.causes[0].id == "no_tool_support"


def test_a_template_that_loses_calls_is_found_out(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    sound = (ROOT / "models" / "tiny-chat" / "chat_template.jinja").read_text()
    template = tmp_path / "loses.jinja"
    template.write_text(sound.replace("{%- if message.tool_calls -%}", "{%- if false -%}"))
    checked = check("tool-results", serve(tiny_chat, template=template))
    history = {outcome.case: outcome for outcome in checked.outcomes if outcome.group == "tool_history"}
    assert history["shapes_of_the_history"].grade == "prompt"
    assert history["words_beside_a_call"].grade == "prompt"
    assert "template_loses" in {cause.id for cause in checked.causes}


def test_a_template_of_another_tool_format_than_the_models_is_found_out(
    serve: Serve, tiny_chat: Path, tmp_path: Path
) -> None:
    template = tmp_path / "foreign.jinja"
    sound = (ROOT / "models" / "tiny-chat" / "chat_template.jinja").read_text()
    template.write_text(sound.replace("tool_call>", "function_call>"))
    causes = check("tool-calling", serve(tiny_chat, template=template)).causes
    foreign = next(cause for cause in causes if cause.id == "markers_in_content")
    assert foreign.words.startswith(
        "the model writes calls in another format than its template declares: <tool_call> </tool_call>"
    )
    assert len(foreign.cases) >= 12 and "ik_llama.cpp#339" in foreign.known


def test_a_template_that_never_ends_its_turns_is_found_out(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    template = tmp_path / "open.jinja"
    template.write_text(
        "{%- for message in messages -%}{{ message.role + ': ' + message.content + '\\n' }}{%- endfor -%}assistant: "
    )
    checked = check("stop-tokens", serve(tiny_chat, template=template))
    assert Verdict.FAIL in {outcome.verdict for outcome in checked.outcomes}
    assert checked.causes
