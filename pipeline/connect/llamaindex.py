"""LlamaIndex, by ``llama-index-llms-openai-like``."""

from __future__ import annotations

from pipeline.connect._base import KEY, Target, quoted


def render(target: Target) -> str:
    """Return a language model of LlamaIndex; it has to be told the context."""
    return f"""\
# In the shell:  {target.export}
# pip install llama-index-llms-openai-like
import os

from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    api_base={quoted(target.v1)},
    api_key=os.environ["{KEY}"],
    model={quoted(target.pinned)},
    context_window={target.context},
    max_tokens={target.answer},
    is_chat_model=True,
    is_function_calling_model=True,
)
print(llm.complete("Hello!"))
"""
