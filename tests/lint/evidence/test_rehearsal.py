from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.evidence.manner import Marks
from pipeline.lint.evidence.rehearsal import Rehearsal
from pipeline.lint.evidence.staging import Prompter
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.hollow import serving
from tests import zoo
from tests.lint.subjects import sound, subject

MARKS = Marks({"<|im_end|>", "<|endoftext|>"}, {"<|im_start|>", "<|im_end|>", "<|endoftext|>"})
Learn = Callable[[str], tuple[dict[str, str], dict[str, str]]]


@pytest.fixture
def learn(engine_build: EngineBuild, tmp_path: Path) -> Learn:
    """Learn all lines of a template: what is said by their names, and why others are missing."""

    def learned(template: str) -> tuple[dict[str, str], dict[str, str]]:
        path = tmp_path / "t.jinja"
        path.write_text(template)
        of = replace(subject(template=template), facts=sound().facts)
        with serving(engine_build, zoo.SOUND, template=path, context=512) as server:
            rehearsal = Rehearsal(Prompter(server.client), of, MARKS)
            return {scene.name: scene.text for scene in rehearsal.scenes()}, rehearsal.missing

    return learned


def chatml(*changes: tuple[str, str]) -> str:
    text = str(sound().template)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_the_sound_models_own(learn: Learn) -> None:
    said, missing = learn(chatml())
    assert said["answer"] == "Quernstone reply one<|im_end|>" and said["unended"] == "Quernstone reply one"
    assert said["bare"].startswith('{"name": "quern_lookup"') and said["bare"].endswith("<|im_end|>")
    assert set(missing) == {"thought", "thought-call"}


def test_calls_that_are_named_by_their_ids(learn: Learn) -> None:
    said, _ = learn(chatml((zoo.CALL_BEGINS, "'<call>' + call.id + '<arguments>{\"a\": '")))
    assert said["call"].startswith('<call>functions.quern_lookup:0<arguments>{"a": {"quern_place"')


def test_thoughts_that_the_template_takes_out_are_guessed(learn: Learn) -> None:
    said, missing = learn(chatml(("{{- message.content -}}", "{{- message.content.split('</think>')[-1] -}}")))
    assert said["thought"] == "<think>\nQuernstone thought\n</think>\n\nQuernstone reply one<|im_end|>"
    assert "thought" not in missing


def test_thinking_that_is_over_before_the_answer(learn: Learn) -> None:
    over = zoo.OPENING.replace("\\n'", "\\n<think></think>'")
    said, missing = learn(chatml((zoo.OPENING, over)))
    assert missing["thought"] == "the prompt has thinking switched off" and "think" not in said["answer"]


def test_a_generation_prompt_that_is_no_beginning_of_an_answer(learn: Learn) -> None:
    said, missing = learn(chatml((zoo.OPENING, "")))
    assert not said and set(missing.values()) >= {
        "the generation prompt does not lead to an answer as the template shows it"
    }


def test_a_generation_prompt_with_words_that_history_lacks(learn: Learn) -> None:
    said, missing = learn(chatml((zoo.OPENING, zoo.OPENING.replace("assistant\\n", "assistant/quick\\n"))))
    assert not said and "does not lead to an answer" in missing["answer"]


def test_text_behind_answers_that_no_model_writes(learn: Learn) -> None:
    behind = "    {{- '\\nNow judge whether this answer is safe or not.<|im_end|>\\n' -}}\n{%- endfor -%}"
    said, missing = learn(chatml((zoo.TURN_END, behind)))
    assert "answer" not in said and missing["answer"].startswith("the template writes more behind an answer")


def test_an_end_in_the_middle_of_a_call(learn: Learn) -> None:
    said, missing = learn(chatml((zoo.CALL_BEGINS, "'<|endoftext|>{\"arguments\": '")))
    assert "call" not in said
    assert missing["call"] == "the template writes a token that ends answers in the middle of such a turn"


def test_turns_that_are_not_shown(learn: Learn) -> None:
    said, missing = learn(chatml((zoo.CALL_LOOP, zoo.CALL_LOOP.replace("calls", "calls[:1]"))))
    assert "call" in said and missing["parallel"] == "the template does not show such a turn when it is over"
