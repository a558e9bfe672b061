"""``llm``, the command line of Simon Willison: an entry of its ``extra-openai-models.yaml``."""

from __future__ import annotations

from pipeline.connect._base import Target, quoted


def render(target: Target) -> str:
    """Return the entry; ``llm`` keeps the key in its own file, under a name."""
    return f"""\
# Append to the file that this prints:  echo "$(dirname "$(llm logs path)")/extra-openai-models.yaml"
# Then, once:  llm keys set assay   (it asks for the key; it lies in {target.key_file})
# And:         llm -m {quoted(target.name)} 'Hello!'
- model_id: {quoted(target.name)}
  model_name: {quoted(target.pinned)}
  api_base: {quoted(target.v1)}
  api_key_name: assay
  supports_tools: true
  supports_schema: true
"""
