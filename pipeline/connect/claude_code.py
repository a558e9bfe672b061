"""Claude Code, by the Anthropic messages that the server speaks too."""

from __future__ import annotations

import shlex

from pipeline.connect._base import KEY, Target


def render(target: Target) -> str:
    """Return shell commands. Its prompts are long: below 32,768 tokens of context there is a warning."""
    small = (
        f"# {target.context} tokens of context are too few: its first prompt alone has many thousands. Set engine.context.\n"
        if target.context < 32_768
        else ""
    )
    return f"""\
{small}{target.export}
export ANTHROPIC_BASE_URL={shlex.quote(target.url)}
export ANTHROPIC_AUTH_TOKEN="${KEY}"
export ANTHROPIC_MODEL={shlex.quote(target.pinned)}
export ANTHROPIC_DEFAULT_HAIKU_MODEL={shlex.quote(target.pinned)}
export CLAUDE_CODE_MAX_OUTPUT_TOKENS={target.answer}
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
claude
"""
