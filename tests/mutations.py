"""The mutation bench: files with a single fault each, made from the sound model, the public reports of each fault, and the
stage and the rule that are meant to catch it.

Every defect of the zoo is one of them. What only the engine shows is in the table by its stage, like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.lint.engine import rules
from pipeline.lint.model import Stage
from tests import zoo
from tests.zoo import (
    CALL_LOOP,
    DEFECTS,
    TEMPLATE,
    TURN,
    TURN_END,
    Defect,
    edited,
    led,
    renamed,
    rewrite,
    template,
)

TURN_WITH_THOUGHT = "{%- if message.content and not message.reasoning_content -%}"
RESULT_OPEN = "    {{- '<|im_end|>\\n' if message.role != 'tool' else '' -}}\n{%- endfor -%}"
NO_QUERY = "{%- if messages[-1].role == 'tool' -%}{{ raise_exception('No user query found') }}{%- endif -%}"
BOTH = (
    "{%- for m in messages -%}{%- if m.tool_calls and m.content and m.reasoning_content -%}"
    "{{ raise_exception('Cannot pass both content and thinking') }}{%- endif -%}{%- endfor -%}"
)
IN_WORDS = (
    "{{- tool.function.name ~ ': ' ~ tool.function.description -}}"
    "{%- for name, place in ((tool.function.parameters or {}).properties or {}).items() -%}"
    "{{- '\\n' ~ name ~ ': ' ~ place.description -}}{%- endfor -%}{{-''}}"
)
GO = (
    "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ range .Messages }}{{ .Content }}{{ end }}"
)

MORE: dict[str, Defect] = {
    "end-of-response-not-named": Defect(renamed("<|im_end|>", "<|endofresponse|>"), "A201"),
    "end-of-turn-misspelt": Defect(renamed("<|im_end|>", "<|im_emd|>"), "A201"),
    "end-of-turn-known-by-its-text-only": Defect(
        lambda target: rewrite(target, {zoo.EOS: zoo.token("<|endoftext|>"), zoo.EOT: zoo.REMOVED}), "A201"
    ),
    "template-of-another-engine": Defect(lambda target: rewrite(target, {TEMPLATE: GO}), "A102"),
    "template-cut-short": Defect(template(lambda text: text[: len(text) // 2]), "A102"),
    "template-refuses-results": Defect(led(NO_QUERY), "A105"),
    "template-refuses-thought-beside-text": Defect(led(BOTH), "A121"),
    "template-loses-answers-with-thought": Defect(edited(TURN, TURN_WITH_THOUGHT), "A106"),
    "result-turn-not-closed": Defect(edited(TURN_END, RESULT_OPEN), "A116"),
    "template-tests-for-filters": Defect(led("{%- if 'tojson' is filter -%}{%- endif -%}"), "A123"),
    "template-sorts-keys": Defect(edited("tool.function | tojson", "tool.function | tojson(sort_keys=true)"), "A123"),
    "template-has-blocks": Defect(led("{% block turns %}{% endblock %}"), "A123"),
    "arguments-as-python-writes-them": Defect(edited("arguments | tojson", "arguments | string"), "A111"),
    "template-names-arguments-of-tojson": Defect(
        edited("tool.function | tojson", "tool.function | tojson(ensure_ascii=false)"), "A129"
    ),
    "template-needs-strftime-now": Defect(led("{%- set today = strftime_now('%d %B %Y') -%}"), "A129"),
    "template-leaves-out-choices": Defect(edited("{{- tool.function | tojson }}", IN_WORDS), "A127"),
    "last-call-only": Defect(edited(CALL_LOOP, CALL_LOOP.replace("calls", "calls[-1:]")), "A108"),
}
"""Faults beside those of the zoo, of which a rule that has a defect there needs no second one."""

REPORTS: dict[str, str] = {
    "end-of-turn-not-named": "unsloth#468 ollama#3759 llama.cpp#6745",
    "turns-of-another-vocabulary": "llama.cpp#6772 llama.cpp#8655 llama.cpp#9583",
    "ends-in-a-foreign-key": "ollama#17192 vllm#4180 text-generation-webui#5885",
    "turns-do-not-end": "llama.cpp#14939 ik_llama.cpp#339",
    "end-of-response-not-named": "llama.cpp#14044",
    "call-ends-with-a-token-not-named": "llama.cpp#8858",
    "end-of-turn-misspelt": "llama.cpp#6745",
    "eos-is-a-word": "Orpheus-FastAPI#65",
    "padding-is-eos": "unsloth#416 unsloth#419 unsloth#1008",
    "turns-begin-with-text": "unsloth#5070",
    "end-of-turn-known-by-its-text-only": "mistral.rs#1012",
    "eos-is-a-placeholder": "node-llama-cpp#169",
    "double-bos": "llama-cpp-python#1501 koboldcpp#917",
    "template-writes-bos-twice": "llama-cpp-python#1501",
    "pre-missing": "BitNet#508 wllama#41",
    "pre-default": "llama.cpp#7476",
    "merges-missing": "unsloth#1065",
    "merges-in-one-piece": "unsloth#1062",
    "token-twice": "GGML_ASSERT in llama-vocab.cpp",
    "yarn-without-a-length": "ctransformers#126 llama.cpp#13312 ik_llama.cpp#873",
    "rope-scaling-unknown": "ctransformers#126",
    "spec-asks-too-much-context": "llama.cpp#17459",
    "context-too-small-for-spec": "llama.cpp#17459",
    "half-a-head-rotated": "llama.cpp#12957 llama.cpp#13021",
    "no-template": "llama.cpp#14508",
    "template-syntax-error": "llama.cpp#12231 llama.cpp#11866",
    "template-has-raw-text": "llama.cpp#11443",
    "template-has-blocks": "llama.cpp#11016",
    "template-tests-for-filters": "zed#45379",
    "template-escapes-html": "llama-cpp-python#1486",
    "template-sorts-keys": "opencode#4049",
    "template-of-another-engine": "ramalama#1857",
    "tool-without-description-fails": "omlx#1876",
    "template-refuses-thought-beside-text": "lmstudio-bug-tracker#842",
    "template-refuses-results": "lmstudio-bug-tracker#1586",
    "roles-must-alternate": "llama.cpp#19851 jan#6254 node-llama-cpp#263",
    "template-raises": "llama.cpp#11402",
    "tool-call-id-of-nine": "vllm#9019 mlx-lm#1375 omlx#1997",
    "generation-prompt-always": "unsloth#880 unsloth#1312 transformers#30893",
    "thinking-off-unless-asked": "MiniCPM4.1-8B, Hunyuan-7B on llama-server",
    "generation-prompt-space": "llama.cpp#24181 llama.cpp#25238",
    "result-turn-not-closed": "Gemma 4's template, e51e7dcd",
    "template-placeholder": "unsloth#868 unsloth#953",
    "template-drops-tools": "ollama#13768 ollama#9353 ollama#6980",
    "template-fails-on-tools": "ollama#8982 ollama#6371",
    "template-drops-calls": "ollama#9802",
    "template-turns-messages-round": "lmstudio-bug-tracker#535 lmstudio-bug-tracker#630 mlx-engine#128",
    "template-needs-strftime-now": "text-generation-webui#6675",
    "template-names-arguments-of-tojson": "opencode#4049 tabbyAPI#404 sglang#13722",
    "template-writes-empty-thoughts": "llama.cpp#22507 ik_llama.cpp#1951",
    "arguments-encoded-twice": "llama.cpp#19520 llama.cpp#19553",
    "arguments-text-encoded-twice": "llama.cpp#19620",
    "template-loses-second-call": "llama.cpp#14101",
    "generation-prompt-opens-thinking": "llama.cpp#24671 llama.cpp#12275",
    "html-tag-ends-answers": "llama.cpp#9606 llama.cpp#9609",
    "calls-are-no-json": "llama.cpp#20305",
    "looks-like-another-family": "Devstral-Small-2507 on llama-server",
    "thinking-forced-off": "MiniCPM4.1-8B, Hunyuan-7B on llama-server",
    "line-before-bos": "llama-cpp-python#1501 LiveCodeBench#146",
    "calls-end-in-another-token": "llama.cpp#8858",
    "calls-within-one-marker": "llama.cpp#14101",
    "quotes-not-escaped": "llama.cpp#24667",
    "thoughts-without-a-marker": "llama.cpp#24671",
    "calls-in-words": "ollama#6390 ollama#9437",
}
"""Where a fault was seen in public: issues of the projects that are named, or a model."""


@dataclass(frozen=True)
class Mutation:
    """One file: how to make it, the rule that must catch it, the rule's stage, and where the fault was seen."""

    name: str
    defect: Defect
    reports: str

    @property
    def code(self) -> str:
        return self.defect.rule

    @property
    def stage(self) -> Stage:
        return rules()[self.code].stage

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.defect.spec


def mutations() -> dict[str, Mutation]:
    """Return all of them by name, by stage and code."""
    found = [Mutation(name, defect, REPORTS.get(name, "")) for name, defect in (DEFECTS | MORE).items()]
    return {item.name: item for item in sorted(found, key=lambda item: (item.stage.rank, item.code))}
