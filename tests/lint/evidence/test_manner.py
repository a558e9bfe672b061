from __future__ import annotations

import pytest

from pipeline.lint.evidence.manner import (
    Marks,
    Written,
    after,
    boundary,
    closing,
    end_of,
    opens_thinking,
    source_thinking,
    tags,
    thinking_is_off,
    written,
)

CHATML = Marks({"<|im_end|>"}, {"<|im_start|>", "<|im_end|>", "<|observation|>", "<|tool_call_end|>"})
PROMPT = "<|im_start|>user\nask<|im_end|>\n<|im_start|>assistant\n"


def test_prompts_part_at_whole_tags() -> None:
    assert boundary(PROMPT, PROMPT + "Fine") == len(PROMPT)
    assert boundary(PROMPT + "<think>", PROMPT + "<tool_call>") == len(PROMPT)
    assert boundary(PROMPT + "[THINK]", PROMPT + "[TOOL_CALLS]") == len(PROMPT)


@pytest.mark.parametrize(
    ("tail", "known", "end"),
    [
        ("<|im_end|>\n<|im_start|>user\nmore", "", "<|im_end|>"),
        ("\n<|im_end|>\n", "", "\n<|im_end|>"),
        ('"}}<|tool_call_end|><|im_end|>\n', "", '"}}<|tool_call_end|><|im_end|>'),
        ('"}}<|tool_call_end|></call><|observation|>', "", '"}}<|tool_call_end|></call><|observation|>'),
        ("</assistant><|im_start|>user", "</assistant>", "</assistant>"),
        ("<end>\n<user>", "", "<end>"),
        ("\n\nUser: more", "", ""),
    ],
)
def test_the_end_of_an_answer(tail: str, known: str, end: str) -> None:
    assert end_of(tail, CHATML, known) == end


def test_an_answer_as_it_is_written() -> None:
    history = PROMPT + "Fine<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n"
    assert written(PROMPT, history, ("Fine",), "more", CHATML) == Written("Fine<|im_end|>", "<|im_end|>")


def test_what_only_the_prompt_for_an_answer_ends_with() -> None:
    found = written(PROMPT + "<think>\n", PROMPT + "Fine<|im_end|>", ("Fine",), "", CHATML)
    assert found == Written("Fine<|im_end|>", "<|im_end|>", "<think>\n")


def test_words_that_history_does_not_show() -> None:
    assert written(PROMPT, PROMPT + "Fine<|im_end|>", ("Fine", "thought"), "", CHATML) is None
    assert written(PROMPT, PROMPT + "more<|im_end|>Fine", ("Fine",), "more", CHATML) is None
    assert written(PROMPT, PROMPT + "Fine", ("Fine",), "more", CHATML) is None


def test_an_end_in_the_middle() -> None:
    assert Written("a<|im_end|>b<|im_end|>", "<|im_end|>").ends_early(CHATML)
    assert not Written("ab<|im_end|>", "<|im_end|>").ends_early(CHATML)


def test_thinking() -> None:
    assert opens_thinking(PROMPT + "<think>\n") == "<think>"
    assert opens_thinking("<seed:think>") == "<seed:think>"
    assert opens_thinking(PROMPT) == opens_thinking(PROMPT + "<think></think>") == ""
    assert thinking_is_off(PROMPT + "<think>\n\n</think>\n\n") and not thinking_is_off(PROMPT + "<think>\n")
    assert (closing("<think>"), closing("[THINK]")) == ("</think>", "[/THINK]")
    assert source_thinking("{{ content.split('</think>')[-1] }}") == "</think>"
    assert source_thinking("{{ content }}") == ""


def test_what_two_parts_share_is_written_once() -> None:
    assert after("a</think><text>", "<text>Fine") == "a</think><text>Fine"
    assert after("a\n", "Fine") == "a\nFine"


def test_tags() -> None:
    assert tags('"}</tool_call> [/INST] <|end|>') == ["</tool_call>", "[/INST]", "<|end|>"]


def test_long_texts_of_strangers_are_soon_looked_through() -> None:
    """Each took minutes, or for ever."""
    words = "think" * 100_000
    assert opens_thinking(f"<{words}") == opens_thinking(f"<{words}>") == source_thinking(f"</{words}") == ""
    assert not thinking_is_off(f"</{words}") and not thinking_is_off("</think>" + " " * 100_000 + "x")
    assert opens_thinking(words + "<|think|>\n\n") == "<|think|>" and thinking_is_off(words + "</think>\n\n")
