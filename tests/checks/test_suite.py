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
    assert suite.body(suite.document.cases[0], {"temperature": 0.7, "top_k": 40, "max_tokens": 256}) == {
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
        ("{id: a, about: x, turns: [{user: hi, results: []}]}", "either user or results"),
        ("{id: a, about: x, turns: [{}]}", "either user or results"),
        ("{id: a, about: x, turns: []}", "the first turn must say something"),
        ("{id: a, about: x, turns: [{results: [ok]}]}", "the first turn must say something"),
        ("{id: a, about: x, tools: [nope], turns: [{user: hi}]}", "no tool 'nope' under tools"),
        ("{id: a, about: x, tool_choice: get_weather, turns: [{user: hi}]}", "nor a tool on offer"),
        ("{id: a, about: x, tool_choice: maybe, turns: [{user: hi}]}", "tool_choice is 'maybe'"),
        ("{id: A b, about: x, turns: [{user: hi}]}", "does not fit the pattern"),
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
    assert "case a expects nothing" in fault and "case b" not in fault
