from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.checks.suite import load_suite
from pipeline.core.errors import SpecError, UsageError

HEAD = """\
kind: behaviour
version: "1"
license: Apache-2.0
source: here
group: g
sampling: {temperature: 0.0, seed: 0}
tools:
  get_weather: {description: d, parameters: {type: object}}
expect: {finish: stop}
cases:
"""


def write(folder: Path, cases: str, head: str = HEAD) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(head + cases)
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_suite(folder)
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


def test_a_suite_is_named_by_its_folder(tmp_path: Path) -> None:
    suite = load_suite(
        write(
            tmp_path / "mine",
            "  - {id: a, about: x, turns: [{user: hi}]}\n  - {id: b, about: x, group: h, turns: [{user: hi}]}\n",
        )
    )
    assert suite.name == "mine"
    assert suite.groups == ("g", "h")
    assert suite.document.expect == {"finish": "stop"}


def test_the_request_of_a_case(tmp_path: Path) -> None:
    cases = "  - {id: a, about: x, tools: [get_weather], tool_choice: get_weather, parallel: true, max_tokens: 9, turns: [{user: hi}]}\n"
    suite = load_suite(write(tmp_path, cases))
    case = suite.document.cases[0]
    assert suite.body(
        case, case.turns[0], next(suite.attempts(case, {"temperature": 0.7, "top_k": 40, "max_tokens": 256})).sampling
    ) == {
        "temperature": 0.0,
        "seed": 0,
        "top_k": 40,
        "max_tokens": 9,
        "cache_prompt": False,
        "tools": [
            {
                "type": "function",
                "function": {"name": "get_weather", "description": "d", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": True,
    }


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("{id: a, about: x, turns: [{user: hi, expect: {fini: stop}}]}", "did you mean finish?"),
        (
            "{id: a, about: x, turns: [{user: hi, expect: {finish: end}}]}",
            "finish must be 'stop', 'tool_calls' or 'length', not 'end'",
        ),
        ("{id: a, about: x, turns: [{user: hi, expect: {says: Paris}}]}", "says wants a list"),
        ("{id: a, about: x, turns: [{user: hi, expect: {calls: [{nam: f}]}}]}", "nam"),
        ("{id: a, about: x, turns: [{user: hi, expect: {says: []}}]}", "name at least one"),
        ("{id: a, about: x, turns: [{user: hi, expect: 3}]}", "expect wants keys and values"),
        ("{id: a, about: x, turns: [{user: hi, results: []}]}", "one of user, results and messages"),
        ("{id: a, about: x, turns: [{}]}", "one of user, results and messages"),
        ("{id: a, about: x, turns: []}", "the first turn must say something"),
        ("{id: a, about: x, turns: [{results: [ok]}]}", "the first turn must say something"),
        ("{id: a, about: x, tools: [nope], turns: [{user: hi}]}", "no tool 'nope' under tools"),
        ("{id: a, about: x, tool_choice: get_weather, turns: [{user: hi}]}", "nor a tool on offer"),
        ("{id: a, about: x, tool_choice: maybe, turns: [{user: hi}]}", "tool_choice is 'maybe'"),
        ("{id: A b, about: x, turns: [{user: hi}]}", "does not fit the pattern"),
        ("{id: a, about: x, response_format: {type: jsn}, turns: [{user: hi}]}", "type is one of text, json_object"),
        ("{id: a, about: x, response_format: {type: json_schema}, turns: [{user: hi}]}", "json_schema wants a schema"),
        (
            "{id: a, about: x, turns: [{user: hi, expect: {json: {type: objct}}}]}",
            "no JSON Schema: 'objct' is not valid",
        ),
        ("{id: a, about: x, turns: [{messages: [{content: hi}]}]}", "a message wants a role"),
        ("{id: a, about: x, turns: [{messages: []}]}", "messages"),
        ("{id: a, about: x, turns: [{messages: [{role: user, content: hi}], padding: 9}]}", "this turn has no user"),
        ("{id: a, about: x, requires: {reasning: true}, turns: [{user: hi}]}", "unknown key 'reasning'"),
        ("{id: a, about: x, repeat: {greedy: 0}, turns: [{user: hi}]}", "greedy must be greater than or equal to 1"),
        ("{id: a, about: x, tools: [get_w*], tool_choice: get_time, turns: [{user: hi}]}", "nor a tool on offer"),
        ("{id: a, turns: [{user: hi}]}", "'about' is missing"),
        ("{id: a, about: x, trns: [{user: hi}], turns: [{user: hi}]}", "unknown key 'trns'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, case: str, fault: str) -> None:
    found = faults(write(tmp_path, f"  - {case}\n"))
    assert any(fault in one for one in found), found


def test_faults_have_their_place_and_come_all_at_once(tmp_path: Path) -> None:
    cases = "  - {id: a, about: x, turns: [{user: hi, expect: {fini: stop}}]}\n  - {id: b, about: x, turns: [{user: hi, expect: {says: [1]}}]}\n"
    found = faults(write(tmp_path, cases))
    assert [one.split(":")[0] for one in found] == ["11", "12"]


def test_a_case_twice(tmp_path: Path) -> None:
    assert "case a is there twice" in "".join(
        faults(write(tmp_path, "  - {id: a, about: x, turns: [{user: hi}]}\n" * 2))
    )


def test_no_suite_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_suite(tmp_path / "nothing")


def test_a_case_that_could_never_fail_is_a_fault(tmp_path: Path) -> None:
    cases = "  - {id: a, about: x, turns: [{user: hi}]}\n  - {id: b, about: x, turns: [{user: hi, expect: {finish: stop}}]}\n"
    (fault,) = faults(write(tmp_path, cases, HEAD.replace("expect: {finish: stop}\n", "")))
    assert "case a: expects nothing" in fault and "case b" not in fault


def test_each_fault_of_a_case_is_told_where_the_case_stands(tmp_path: Path) -> None:
    good, bad = "  - {id: a, about: x, turns: [{user: hi}]}\n", "{id: b, about: x, tools: [nope], turns: [{user: hi}]}"
    found = faults(write(tmp_path, f"{good}  - {bad}\n{good}"))
    first = HEAD.count("\n") + 1
    assert found == [
        f"{first + 1}:5 cases[1]: case b: no tool 'nope' under tools",
        f"{first + 2}:5 cases[2]: case a is there twice",
    ]


def test_a_suite_without_cases_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, "", HEAD.replace("cases:\n", "cases: []\n")))
    assert fault.endswith("cases: there are none")


def options(folder: Path, case: str, turn: int = 0) -> dict[str, object]:
    suite = load_suite(write(folder, f"  - {case}\n", HEAD.replace("tools:", "tools:\n  get_time: {strict: true}")))
    one = suite.document.cases[0]
    body = suite.body(one, one.turns[turn], {})
    return {name: value for name, value in body.items() if name not in ("max_tokens", "cache_prompt")}


def test_what_a_request_can_ask_for(tmp_path: Path) -> None:
    case = (
        "{id: a, about: x, stop: [END], response_format: {type: json_object}, template_kwargs: {enable_thinking: false},"
        " turns: [{user: hi}]}"
    )
    assert options(tmp_path, case) == {
        "stop": ["END"],
        "response_format": {"type": "json_object"},
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_tools_by_pattern_are_offered_once_in_the_files_order(tmp_path: Path) -> None:
    offered = options(tmp_path, "{id: a, about: x, tools: ['get_w*', '*'], turns: [{user: hi}]}")["tools"]
    assert isinstance(offered, list)
    assert [tool["function"] for tool in offered] == [
        {"name": "get_weather", "description": "d", "parameters": {"type": "object"}},
        {"name": "get_time", "strict": True},
    ]


def test_a_turns_options_hold_for_that_turn_alone(tmp_path: Path) -> None:
    case = "{id: a, about: x, tools: ['*'], tool_choice: none, turns: [{user: hi}, {user: hi, tools: [], tool_choice: auto}, {user: hi}]}"
    asked = [options(tmp_path, case, turn) for turn in range(3)]
    assert asked[1] == {"tool_choice": "auto"}
    assert asked[0] == asked[2] and asked[0]["tool_choice"] == "none" and asked[0]["tools"]


def attempts(folder: Path, keys: str, sampling: dict[str, float]) -> list[tuple[int, bool, object, object, bool]]:
    suite = load_suite(
        write(folder, "  - {id: a, about: x, turns: [{user: hi}]}\n", HEAD.replace("tools:", f"{keys}tools:"))
    )
    found = suite.attempts(suite.document.cases[0], sampling)
    return [(one.number, one.sampled, one.sampling["temperature"], one.sampling["seed"], one.streamed) for one in found]


def test_a_case_is_asked_greedily_and_with_seeds(tmp_path: Path) -> None:
    warm = {"temperature": 0.7, "seed": 5}
    assert attempts(tmp_path, "", warm) == [(1, False, 0.0, 0, True)]
    assert attempts(tmp_path, "repeat: {greedy: 2, seeds: 2}\nstream: false\n", warm) == [
        (1, False, 0.0, 0, False),
        (2, False, 0.0, 0, False),
        (1, True, 0.7, 6, False),
        (2, True, 0.7, 7, False),
    ]


def test_under_greedy_sampling_no_seed_is_drawn_and_only_the_first_attempt_is_streamed(tmp_path: Path) -> None:
    found = attempts(tmp_path, "repeat: {greedy: 2, seeds: 2}\n", {"temperature": 0.0, "seed": 5})
    assert found == [(1, False, 0.0, 0, True), (2, False, 0.0, 0, False)]
