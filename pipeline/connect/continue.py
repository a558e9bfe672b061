"""Continue, in VS Code and JetBrains: a model of its ``config.yaml``."""

from __future__ import annotations

from pipeline.connect._base import KEY, Target, quoted


def render(target: Target) -> str:
    """Return a configuration; Continue takes secrets from its own ``.env``."""
    return f"""\
# ~/.continue/config.yaml
# The key, in ~/.continue/.env:  (umask 077; echo "{KEY}=$({target.read})" >> ~/.continue/.env)
name: assay
version: 1.0.0
schema: v1
models:
  - name: {quoted(target.name)}
    provider: openai
    model: {quoted(target.pinned)}
    apiBase: {quoted(target.v1)}
    apiKey: ${{{{ secrets.{KEY} }}}}
    roles: [chat, edit, apply]
    capabilities: [tool_use]
    defaultCompletionOptions:
      contextLength: {target.context}
      maxTokens: {target.answer}
"""
