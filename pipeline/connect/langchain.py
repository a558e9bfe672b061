"""LangChain, by ``langchain-openai``."""

from __future__ import annotations

from pipeline.connect._base import KEY, Target, quoted


def render(target: Target) -> str:
    """Return a chat model of LangChain."""
    return f"""\
# In the shell:  {target.export}
# pip install langchain-openai
import os

from langchain_openai import ChatOpenAI

llm = ChatOpenAI(
    base_url={quoted(target.v1)},
    api_key=os.environ["{KEY}"],
    model={quoted(target.pinned)},
    max_tokens={target.answer},
    use_responses_api=False,
)
print(llm.invoke("Hello!").content)
"""
