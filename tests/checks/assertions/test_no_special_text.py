from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.no_special_text import judge
from pipeline.runtime.answer import Answer


def test_leaks_are_named() -> None:
    fault = judge(Seen({}, Answer("Hi<|im_end|>\n<|im_start|>user")), True)
    assert fault is not None and "<|im_end|> <|im_start|>" in fault.words


def test_plain_text_and_what_the_user_brought_in_are_free() -> None:
    assert judge(Seen({}, Answer("a < b")), True) is None
    asked = {"messages": [{"role": "user", "content": "Repeat: </s>"}]}
    assert judge(Seen(asked, Answer("</s>")), True) is None
    assert judge(Seen(asked, Answer("</s><|im_end|>")), True) is not None


def test_what_leaks_decides_the_grade() -> None:
    for content, grade in [
        ("Hi<|im_end|>", "text"),
        ("<think>so</think>Hi", "reasoning"),
        ("<tool_call>{</tool_call>", "markers_in_content"),
        ("<tool_call>{</tool_call><|im_end|>", "text"),
    ]:
        fault = judge(Seen({}, Answer(content)), True)
        assert fault is not None and fault.grade == grade, content
