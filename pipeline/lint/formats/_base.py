"""What a format is: a module whose docstring says what it is for, with ``render``. And what it renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from pipeline.core.canonical import digest_of
from pipeline.core.kinds import discover
from pipeline.lint.model import Finding


@dataclass(frozen=True)
class Linted:
    """One target's findings. ``file`` is what to point at: the spec's path, the file's, or the reference of a hub. ``bad`` are those that
    the gate does not allow; ``known`` those of the baseline, which count no more; ``not_evaluated`` the rules that could not judge, by
    code, each with the reason.
    """

    target: str
    file: str
    findings: Sequence[Finding]
    bad: Sequence[Finding] = ()
    known: Sequence[Finding] = ()
    not_evaluated: Mapping[str, str] = field(default_factory=dict)

    @property
    def unjudged(self) -> list[str]:
        """A line for each reason why rules could not judge: their codes, and the reason."""
        reasons: dict[str, list[str]] = {}
        for code, reason in self.not_evaluated.items():
            reasons.setdefault(reason, []).append(code)
        return [f"not evaluated: {_few(codes)} ({reason})" for reason, codes in reasons.items()]

    @property
    def accepted(self) -> bool:
        """Whether nothing stands against the target."""
        return not self.bad


def _few(codes: list[str]) -> str:
    return ", ".join(codes) if len(codes) <= 6 else f"{len(codes)} rules, {codes[0]} to {codes[-1]}"


def fingerprint(target: str, finding: Finding) -> str:
    """Return what names a finding from run to run: the target, the rule, the place and what was seen."""
    return digest_of([target, finding.code, finding.where, finding.evidence]).hex[:16]


def formats() -> dict[str, ModuleType]:
    """Return every format by its name."""
    return discover("pipeline.lint.formats")
