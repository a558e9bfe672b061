"""Open WebUI: a chat in the browser, as a container beside the model."""

from __future__ import annotations

import shlex

from pipeline.connect._base import KEY, Target


def render(target: Target) -> str:
    """Return a command that starts it; the key goes through the environment, never through the command line."""
    return f"""\
# In the shell, on the machine that serves the model:
{target.export}
export OPENAI_API_KEY="${KEY}"
docker run --rm --network host \\
  -e PORT=3000 -e HOST=127.0.0.1 \\
  -e OPENAI_API_BASE_URL={shlex.quote(target.v1)} \\
  -e OPENAI_API_KEY \\
  -e ENABLE_OLLAMA_API=false \\
  -e DEFAULT_MODELS={shlex.quote(target.name)} \\
  -v open-webui:/app/backend/data \\
  ghcr.io/open-webui/open-webui:main
# Then open http://127.0.0.1:3000. The container keeps the key in its own database.
"""
