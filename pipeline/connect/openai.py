"""The OpenAI library for Python; other languages' take the same address and key."""

from __future__ import annotations

from pipeline.connect._base import KEY, Target, quoted


def render(target: Target) -> str:
    """Return a program that asks once and prints the answer as it comes."""
    return f"""\
# In the shell:  {target.export}
# pip install openai
import os

from openai import OpenAI

client = OpenAI(base_url={quoted(target.v1)}, api_key=os.environ["{KEY}"])
stream = client.chat.completions.create(
    model={quoted(target.pinned)},  # these bytes; {quoted(target.name)} asks for whatever is served under the name
    messages=[{{"role": "user", "content": "Hello!"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
