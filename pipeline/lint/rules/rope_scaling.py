from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

TYPES = ("none", "linear", "yarn", "longrope")
BASE, TYPE, FACTOR = "rope.freq_base", "rope.scaling.type", "rope.scaling.factor"
ORIGINAL = "rope.scaling.original_context_length"
FIX = "set it as the publisher's config.json has it (rope_theta, rope_scaling)"


class RopeScaling(Rule):
    """The keys that place tokens in the context can't be, or contradict each other.

    Rotary embedding turns every position into an angle. A base or a factor that is 0 or negative gives nonsense from
    the first token on, though the file loads; an unknown scaling type ends the process (`GGML_ASSERT`). YaRN stretches
    a context that the model was first trained on; when that length is missing, llama.cpp takes the stretched one for it
    and long prompts come out as gibberish (ctransformers#126). The same holds when a factor is given without a type
    (llama.cpp takes it for linear), or when the context is longer than the stretch allows.

    To mend it, set the keys as the publisher's `config.json` has them.
    """

    code = "A308"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        prefix = subject.facts.architecture

        def number(key: str) -> float | None:
            value = subject.header.metadata.get(f"{prefix}.{key}")
            return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

        for key in (BASE, f"{BASE}_swa", FACTOR, ORIGINAL):
            value = number(key)
            if value is not None and not (isfinite(value) and value > 0):
                yield self.finding(
                    f"{prefix}.{key} is {value:g}: positions become nonsense",
                    where=f"{prefix}.{key}",
                    evidence=f"{prefix}.{key} is {value:g}",
                    fix=FIX,
                )
        kind = subject.header.metadata.get(f"{prefix}.{TYPE}")
        factor, original, context = number(FACTOR), number(ORIGINAL), number("context_length")
        scaled = factor is not None and isfinite(factor) and factor > 0 and factor != 1
        if kind is not None and kind not in TYPES:
            yield self.finding(
                f"the scaling type {kind!r} is unknown: llama-server aborts",
                where=f"{prefix}.{TYPE}",
                evidence=f"{prefix}.{TYPE} is {kind!r}, known are {', '.join(TYPES)}",
                fix=FIX,
            )
        elif kind == "yarn" and original is None:
            yield self.finding(
                "YaRN without the length that it stretches: llama.cpp takes the whole context for it",
                where=f"{prefix}.{ORIGINAL}",
                evidence=f"{prefix}.{TYPE} is 'yarn', factor {factor}, context {context}; no {prefix}.{ORIGINAL}",
                fix=FIX,
                severity=Severity.WARNING,
            )
        elif scaled and (kind == "none" or (kind is None and original is not None)):
            yield self.finding(
                f"a scaling factor of {factor:g} without a type of scaling",
                where=f"{prefix}.{TYPE}",
                evidence=f"{prefix}.{TYPE} is {kind!r}, {prefix}.{FACTOR} is {factor:g}",
                fix=FIX,
                severity=Severity.WARNING,
            )
        elif kind == "yarn" and scaled and factor and original and context and context > 1.05 * factor * original > 0:
            yield self.finding(
                f"the context of {context:.0f} tokens is longer than {original:.0f} stretched by {factor:g}",
                where=f"{prefix}.context_length",
                evidence=f"{prefix}.context_length is {context:.0f}, {prefix}.{ORIGINAL} is {original:.0f}, "
                f"{prefix}.{FACTOR} is {factor:g}",
                fix=FIX,
                severity=Severity.WARNING,
            )


RULE = RopeScaling()
