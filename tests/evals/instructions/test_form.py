from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.evals.instructions.form import FORMS

CASES: list[tuple[dict[str, Any], str, bool]] = [
    ({"id": "detectable_format:number_bullet_lists", "num_bullets": 2}, "So:\n* a\n- b\n**bold**\n---", True),
    ({"id": "detectable_format:number_bullet_lists", "num_bullets": 2}, "* a\n* b\n* c", False),
    ({"id": "detectable_format:numbered_list", "num_items": 2}, "1. a\n2) b", True),
    ({"id": "detectable_format:numbered_list", "num_items": 2}, "1. a\n3. b", False),
    ({"id": "detectable_format:constrained_response"}, "Well. My answer is no.", True),
    ({"id": "detectable_format:constrained_response"}, "No.", False),
    ({"id": "detectable_format:constrained_response", "options": ["No."]}, "No.", True),
    ({"id": "detectable_format:number_highlighted_sections", "num_highlights": 2}, "*a* and **b c**", True),
    ({"id": "detectable_format:number_highlighted_sections", "num_highlights": 2}, "*a* and ** **", False),
    ({"id": "detectable_format:number_highlighted_sections", "num_highlights": 1}, "* a\n* b", False),
    (
        {"id": "detectable_format:multiple_sections", "section_spliter": "Part", "num_sections": 2},
        "Part 1\nx\nPart 2\ny",
        True,
    ),
    (
        {"id": "detectable_format:multiple_sections", "section_spliter": "Part", "num_sections": 2},
        "Part 1, Part",
        False,
    ),
    ({"id": "detectable_format:json_format"}, '```json\n{"a": 1}\n```', True),
    ({"id": "detectable_format:json_format"}, 'Here: {"a": 1}', False),
    ({"id": "detectable_format:title"}, "<<My day>>\nIt was.", True),
    ({"id": "detectable_format:title"}, "<< >> <My day>", False),
    ({"id": "detectable_format:separated_list", "separator": ",", "num_items": 3}, "a, b, c\n", True),
    ({"id": "detectable_format:separated_list", "separator": ",", "num_items": 3}, "a, b,\nc", False),
    ({"id": "detectable_format:separated_list", "separator": ",", "num_items": 3}, "a, , c", False),
    ({"id": "combination:two_responses"}, "One\n******\nTwo", True),
    ({"id": "combination:two_responses"}, "One\n******\nOne", False),
    ({"id": "combination:two_responses"}, "One\n******\nTwo\n******\nThree", False),
    ({"id": "combination:repeat_prompt", "prompt_to_repeat": "Say hi."}, "say hi. Hi!", True),
    ({"id": "combination:repeat_prompt", "prompt_to_repeat": "Say hi."}, "Hi! Say hi.", False),
    ({"id": "startend:start_checker", "start_phrase": "Dear all"}, "Dear ALL, hello", True),
    ({"id": "startend:start_checker", "start_phrase": "Dear all"}, "Hello, dear all", False),
    ({"id": "startend:end_checker", "end_phrase": "The end."}, 'So it was. "the end."', True),
    ({"id": "startend:end_checker", "end_phrase": "The end."}, "The end. Or not", False),
    ({"id": "startend:quotation"}, '"All of it."\n', True),
    ({"id": "startend:quotation"}, '"Some" of it', False),
    ({"id": "startend:quotation"}, '""', False),
]


@pytest.mark.parametrize(("instruction", "text", "held"), CASES)
def test_forms(instruction: dict[str, Any], text: str, held: bool) -> None:
    assert TypeAdapter(FORMS).validate_python(instruction).holds(text) is held
