from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

HISTORY = "message.role == 'assistant'"


def blocks(condition: str, block: str = "<think>\\n\\n</think>") -> str:
    """A template that writes a block before what the assistant said."""
    code = "{%- if " + condition + " -%}{{- '" + block + "' -}}{%- endif -%}"
    template = chatml().replace(zoo.TURN, code + zoo.TURN)
    assert template != chatml()
    return template


def test_thoughts_that_are_written_only_where_there_are_some() -> None:
    block = "<think>' ~ message.reasoning_content ~ '</think>"
    assert findings("A126", subject(template=blocks("message.reasoning_content", block))) == []


def test_a_block_that_only_the_instructions_have() -> None:
    told = chatml().replace("# Tools\\n", "# Tools\\nThink within <think></think>.\\n")
    assert told != chatml()
    assert findings("A126", subject(template=told)) == []


@pytest.mark.parametrize("block", ["<think></think>", "<seed:think>\\n</seed:think>", "[THINK][/THINK]"])
def test_empty_thoughts(block: str) -> None:
    found = one("A126", subject(template=blocks(HISTORY + " and not message.reasoning_content", block)), Severity.INFO)
    assert "an earlier answer and a tool call" in found.message and "trained so" not in found.message
    assert block[:6] in found.evidence


def test_before_calls_alone() -> None:
    found = one("A126", subject(template=blocks("message.tool_calls")), Severity.INFO)
    assert "before a tool call that" in found.message


def test_a_family_that_writes_the_block_in_place_of_thoughts() -> None:
    assert "trained so" in one("A126", subject(template=blocks(HISTORY)), Severity.INFO).message
