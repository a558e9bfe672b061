from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import skipped
from pipeline.lint.evidence import playback
from pipeline.lint.evidence.grades import grade
from pipeline.lint.evidence.playback import play
from pipeline.lint.evidence.scenes import Played
from pipeline.lint.model import UNASKED, NotJudged
from pipeline.lint.probes import ANSWER, PREAMBLE
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.played import played_sound
from tests.lint.subjects import sound, subject

LINES = {"answer", "unended", "letters", "bare", "call", "cut-call", "marked", "parallel", "preamble", "three", "flag"}


@pytest.fixture(scope="module")
def played(engine_build: EngineBuild) -> Played:
    return played_sound(engine_build).played


def test_all_is_well_with_the_sound_model(played: Played) -> None:
    assert not played.missing and set(played.takes) == LINES | {"none", "quoted"}
    assert played.left_out == dict.fromkeys(("thought", "thought-call"), "the template shows no thinking")
    assert {name: found for name, take in played.takes.items() if (found := grade(take))} == {}


def test_what_is_said_is_what_the_template_shows(played: Played) -> None:
    said = {name: take.scene.text for name, take in played.takes.items()}
    call = '<tool_call>\n{"name": "quern_lookup", "arguments": {"quern_place": "Quernville"}}\n</tool_call>'
    assert said["answer"] == f"{ANSWER}<|im_end|>"
    assert said["call"] == said["cut-call"] == f"{call}<|im_end|>"
    assert said["preamble"] == f"{PREAMBLE}\n{call}<|im_end|>"
    assert said["marked"].count("</tool_call>") == 2


def test_filler_follows_what_has_no_end(played: Played) -> None:
    take = played.takes["unended"]
    for _, answer in take.answers:
        assert answer.content.startswith(ANSWER) and answer.content != ANSWER and answer.finish_reason == "length"


def test_no_two_scripts_share_a_place_but_the_same(played: Played) -> None:
    scripts = {take.scene.script for take in played.takes.values()}
    places = [place for script in scripts for place in script.places]
    assert len(places) == len(set(places)) and len(scripts) == len(played.takes) - 1


def test_the_same_comes_out_each_time(played: Played, engine_build: EngineBuild) -> None:
    again = play(played_sound(engine_build))
    shown = [
        [
            (take.scene.script, take.whole.content, [str(call) for call in take.whole.calls])
            for take in one.takes.values()
        ]
        for one in (played, again)
    ]
    assert shown[0] == shown[1]


def test_a_template_in_place_of_the_files(engine_build: EngineBuild) -> None:
    template = str(sound().template).replace("<tool_call>", "<call>").replace("</tool_call>", "</call>")
    other = replace(subject(template=template), facts=sound().facts, engine=engine_build).played
    assert other.takes["call"].scene.text.startswith("<call>\n") and grade(other.takes["call"]) is None


THINKS = "{%- if message.reasoning_content -%}{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' -}}{%- endif -%}\n"


def test_thinking_is_learned_where_the_template_shows_it(engine_build: EngineBuild, tmp_path: Path) -> None:
    thinks = zoo.edited(zoo.TURN, THINKS + zoo.TURN)
    takes = asked(tmp_path, thinks, engine_build).played.takes
    assert takes["thought"].scene.text.startswith("<think>\nQuernstone thought\n</think>\n\nQuernstone reply one")
    assert not takes["thought"].scene.guessed
    assert {name: grade(take) for name, take in takes.items() if "thought" in name} == dict.fromkeys(
        ("thought", "cut-thought", "thought-call")
    )


def test_thinking_that_the_prompt_has_begun_goes_before_every_line(engine_build: EngineBuild, tmp_path: Path) -> None:
    takes = asked(tmp_path, "generation-prompt-opens-thinking", engine_build).played.takes
    assert takes["call"].scene.text.startswith("Quernstone thought\n</think>\n\n<tool_call>")


def test_stop_strings_of_the_spec_hold(engine_build: EngineBuild, tmp_path: Path) -> None:
    stopped = asked(tmp_path, zoo.changed(), engine_build, chat={"stop": [" reply"]}).played.takes["answer"]
    assert (stopped.whole.content, stopped.whole.finish_reason) == ("Quernstone", "stop")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no-template", "there is no chat template"),
        ("template-syntax-error", "llama-server does not start with the template"),
        ("tokenizer-unknown", "the engine does not read the vocabulary"),
    ],
)
def test_what_cannot_be_played_is_said(name: str, why: str, engine_build: EngineBuild, tmp_path: Path) -> None:
    played = asked(tmp_path, name, engine_build).played
    assert played.missing.startswith(why) and not played.takes


def test_nothing_is_played_without_an_engine() -> None:
    assert play(sound()) == Played(missing="there is no engine to ask")


def test_a_template_that_the_server_refuses_is_not_waited_for_again(
    engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = replace(subject(template="{% for %}"), facts=sound().facts, engine=engine_build)
    assert refused.served.refusal
    monkeypatch.setattr(playback, "serving", None)
    assert refused.played.missing == "llama-server does not start with the template"


def test_a_server_that_does_not_come_up_is_nothing_that_the_file_has_done(
    engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(sound(), engine=engine_build)
    assert made.served.up
    monkeypatch.setattr(playback, "READY_WITHIN", 0.0)
    assert made.played.missing == f"{UNASKED}llama-server was not ready after 0 s"
    left_out = skipped(made)
    assert left_out["A701"].startswith(UNASKED) and NotJudged("A701", left_out["A701"]).unasked
