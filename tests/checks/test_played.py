"""Faults of whole families of models, played to the real llama-server: what it makes of them is graded and told."""

from __future__ import annotations

from pathlib import Path

from pipeline.checks.engine import Checked, load_suite, run_suite
from pipeline.checks.probe import Probe
from pipeline.gguf.header import read_header
from pipeline.runtime.playback import write_playback
from pipeline.runtime.script import Script
from tests.conftest import Serve

HEAD = """\
kind: behaviour
version: "1"
license: Apache-2.0
source: here
group: g
max_tokens: 48
sampling: {temperature: 0}
tools:
  get_weather: {description: d, parameters: {type: object, properties: {city: {type: string}}, required: [city]}}
cases:
  - {id: it, about: x, %s}
"""
CALL = "tools: [get_weather], turns: [{user: 'Weather in Bergen?', expect: {calls: [{name: get_weather}]}}]"
TEXT = "turns: [{user: Hello!, expect: {finish: stop, no_special_text: true, one_turn: true}}]"
BERGEN = '{"name": "get_weather", "arguments": {"city": "Bergen"}}'


def played(serve: Serve, tiny_chat: Path, folder: Path, case: str, said: str) -> Checked:
    """Run one case against tiny-chat's tokenizer and template, with a body that says ``said``, token by token."""
    (folder / "suite.yaml").write_text(HEAD % case)
    suite = load_suite(folder)
    probe = Probe(serve(tiny_chat), 30.0)
    one = suite.document.cases[0]
    request = {**suite.body(one, one.turns[0], {}), "messages": [{"role": "user", "content": one.turns[0].user}]}
    script = Script(len(probe.tokens(probe.prompt(request))), probe.tokens(said))
    write_playback(read_header(tiny_chat), folder / "played.gguf", [script], 1024)
    return run_suite(suite, serve(folder / "played.gguf"), model="model", sampling={})


def test_a_call_as_it_must_be(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    checked = played(serve, tiny_chat, tmp_path, CALL, f"<tool_call>\n{BERGEN}\n</tool_call><|im_end|>")
    assert [outcome.grade for outcome in checked.outcomes] == ["structured"] and checked.causes == ()


def test_a_call_without_the_tags_that_the_template_declares(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    checked = played(serve, tiny_chat, tmp_path, CALL, f"{BERGEN}<|im_end|>")
    assert checked.outcomes[0].diagnosis.startswith("json_in_content: the call came out as plain content, as bare JSON")
    (cause,) = checked.causes
    assert "never emits the tags that its template declares (<tool_call> </tool_call>)" in cause.words


def test_an_answer_that_never_ends(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    checked = played(serve, tiny_chat, tmp_path, TEXT, "and on " * 60)
    assert checked.outcomes[0].grade == "runaway" and "after 48 tokens" in checked.outcomes[0].diagnosis
    assert checked.causes[0].id == "runaway"


def test_another_familys_end_of_turn(serve: Serve, tiny_chat: Path, tmp_path: Path) -> None:
    checked = played(serve, tiny_chat, tmp_path, TEXT, "Hello!<|eot_id|>\nuser\nHi!<|im_end|>")
    assert checked.outcomes[0].grade == "text" and "<|eot_id|>" in checked.outcomes[0].diagnosis
    assert {cause.id for cause in checked.causes} == {"special_text"}
