"""LiteLLM's proxy: the model under a name in its ``config.yaml``."""

from __future__ import annotations

from pipeline.connect._base import KEY, Target, quoted


def render(target: Target) -> str:
    """Return a configuration of the proxy. Its library takes the same words: ``litellm.completion(model=…, api_base=…, api_key=…)``."""
    return f"""\
# config.yaml of LiteLLM's proxy
# In the shell:  {target.export}
#                litellm --config config.yaml
model_list:
  - model_name: {quoted(target.name)}
    litellm_params:
      model: {quoted("openai/" + target.pinned)}
      api_base: {quoted(target.v1)}
      api_key: os.environ/{KEY}
    model_info:
      max_input_tokens: {target.context}
      max_output_tokens: {target.answer}
      input_cost_per_token: 0
      output_cost_per_token: 0
"""
