from __future__ import annotations

import pytest

from pipeline.checks.markers import REASONING, SPECIAL, TOOLS, special_text, tool_markers


@pytest.mark.parametrize(
    "marker", SPECIAL + TOOLS + REASONING + ("<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<｜end▁of▁sentence｜>")
)
def test_each_marker_is_seen_in_the_middle_of_text(marker: str) -> None:
    assert marker in special_text(f"Hello{marker} you")


def test_found_in_order_and_once() -> None:
    assert special_text("a<|im_end|>\n<|im_start|>user b<|im_end|> </s>") == ("<|im_end|>", "<|im_start|>", "</s>")


@pytest.mark.parametrize("text", ["", "a < b and c > d", "x |> f <| y", "<b>bold</b>", "array[INDEX]", "1 <| 2 |\n> 3"])
def test_plain_text_holds_none(text: str) -> None:
    assert special_text(text) == ()


def test_tool_markers_are_those_of_calls() -> None:
    assert tool_markers("<|im_end|><tool_call>{}</tool_call>") == ("<tool_call>", "</tool_call>")
    assert tool_markers("<|tool_calls_section_begin|>") == ("<|tool_calls_section_begin|>",)
    assert tool_markers("<|im_end|>") == ()
