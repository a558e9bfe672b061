"""Texts that belong to the machinery of a chat and never to an answer: the one list of them.

Sources: the chat templates and special tokens of the model families that llama.cpp runs (ChatML, Llama, Mistral, Gemma, Phi, Command R,
DeepSeek, GPT-OSS, GLM, Granite), as published with their models.
"""

from __future__ import annotations

import re

SPECIAL = (
    "<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<start_of_turn>", "<end_of_turn>",
    "<start_of_image>", "<turn|>", "<|turn>", "<end_of_utterance>", "[BOS]", "[EOS]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    "[gMASK]", "<sop>", "<eop>", "<_start>", "<_end>", "[e~[", "]~b]",
)  # fmt: skip
TOOLS = (
    "<tool_call>", "</tool_call>", "<tool_calls>", "</tool_calls>", "<tool_response>", "</tool_response>", "<tools>", "</tools>",
    "<function_call>", "<function=", "</function>", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[ARGS]", "<|python_tag|>",
    "<|tool_call|>", "<|tool_call>", "<start_function_call>", "<functioncall>", "<minimax:tool_call>", "<invoke name=",
)  # fmt: skip
REASONING = ("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]")
# Most families write their tokens as <|name|>, DeepSeek with full-width bars.
_BARS = re.compile(r"<\|[A-Za-z0-9_ .:-]{1,60}\|>|<｜[^<>｜\n]{1,60}｜>")


def special_text(text: str) -> tuple[str, ...]:
    """Return the special-token texts in ``text``, each once, in the order of their first places."""
    return _found(text, SPECIAL + TOOLS + REASONING, bars=True)


def tool_markers(text: str) -> tuple[str, ...]:
    """Return the texts around tool calls that stand in ``text``."""
    return _found(text, TOOLS) + tuple(
        one for one in _found(text, (), bars=True) if "tool" in one.lower() or "call" in one.lower()
    )


def _found(text: str, literals: tuple[str, ...], bars: bool = False) -> tuple[str, ...]:
    places = {literal: text.index(literal) for literal in literals if literal in text}
    if bars:
        for match in _BARS.finditer(text):
            places.setdefault(match.group(), match.start())
    return tuple(sorted(places, key=lambda literal: (places[literal], literal)))
