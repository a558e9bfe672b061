"""What a model claims to do, as its server and its chat template tell: a case that asks for more does not apply to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.checks.diagnose import Fault
from pipeline.checks.markers import REASONING
from pipeline.checks.model import Verdict
from pipeline.checks.options import Requires
from pipeline.checks.probe import NoAnswer, Probe
from pipeline.runtime.ask import properties

_REASONING = (*REASONING, "reasoning_content", "enable_thinking", "<|channel|>analysis")
_HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}


@dataclass(frozen=True)
class Able:
    """What is known of a model; None where the server doesn't tell. ``context`` is the most that one request may take, in tokens."""

    tools: bool | None = None
    parallel_calls: bool | None = None
    reasoning: bool | None = None
    reasoning_switch: bool | None = None
    context: int | None = None
    template: str = ""

    def lacks(self, requires: Requires) -> Fault | None:
        """Return why a case does not apply, or can't be judged; None where it applies."""
        wanted: dict[str, bool | None] = {
            "its chat template shows it no tools": self.tools if requires.tools else True,
            "its chat template can't write several calls in a turn": (
                self.parallel_calls if requires.parallel_calls else True
            ),
            "its chat template has no reasoning": self.reasoning if requires.reasoning else True,
            "enable_thinking changes nothing in its prompt": self.reasoning_switch
            if requires.reasoning_switch
            else True,
        }
        if requires.context and self.context and self.context < requires.context:
            wanted[f"a request has {self.context} tokens of context here, and this case wants {requires.context}"] = (
                False
            )
        if missing := [words for words, able in wanted.items() if able is False]:
            return Fault("not_applicable", missing[0], Verdict.SKIP)
        if None in wanted.values() or (requires.context and not self.context):
            return Fault("not_reached", "the server does not say what the model can do", Verdict.UNKNOWN)
        return None


def able(probe: Probe) -> Able:
    """Ask a server what its model can do."""
    said = properties(probe.client)
    caps, template = said.get("chat_template_caps"), said.get("chat_template")
    caps, template = caps if isinstance(caps, dict) else {}, template if isinstance(template, str) else ""
    settings = said.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return Able(
        tools=_flag(caps, "supports_tools"),
        parallel_calls=_flag(caps, "supports_parallel_tool_calls"),
        reasoning=any(mark in template for mark in _REASONING) if said else None,
        reasoning_switch=_switches(probe) if "enable_thinking" in template else False if said else None,
        context=context if isinstance(context, int) else None,
        template=template,
    )


def _flag(caps: dict[str, Any], name: str) -> bool | None:
    value = caps.get(name)
    return value if isinstance(value, bool) else None


def _switches(probe: Probe) -> bool | None:
    try:
        prompts = {probe.prompt({**_HELLO, "chat_template_kwargs": {"enable_thinking": on}}) for on in (True, False)}
    except NoAnswer:
        return None
    return len(prompts) == 2
