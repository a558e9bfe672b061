"""Find the rules, let them judge a subject, explain them."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

from pipeline.core.canonical import tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.lint.model import Finding
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by its code, sorted."""
    found = [module.RULE for module in discover("pipeline.lint.rules").values()]
    return {rule.code: rule for rule in sorted(found, key=lambda rule: rule.code)}


def lint(subject: Subject) -> tuple[Finding, ...]:
    """Return what the rules find, the worst first; what the spec ignores is left out."""
    ignored = {item.code for item in subject.spec.lint.ignore} if subject.spec else set()
    found = [
        finding
        for code, rule in rules().items()
        if code not in ignored and not rule.skip(subject)
        for finding in rule.check(subject)
    ]
    return tuple(
        sorted(found, key=lambda finding: (-finding.severity.rank, finding.code, finding.where, finding.message))
    )


def skipped(subject: Subject) -> dict[str, str]:
    """Return the rules that can't judge this subject, each with the reason. Not judged is not clean."""
    reasons = {code: rule.skip(subject) for code, rule in rules().items()}
    return {code: reason for code, reason in reasons.items() if reason}


def explain(code: str) -> str:
    """Return a rule's documentation. Raises UsageError for a code that no rule has."""
    rule = rules().get(code.upper())
    if rule is None:
        raise UsageError(f"no rule has the code {code!r}", hint=f"the rules are {', '.join(rules())}")
    return f"{rule.code} {rule.slug} ({rule.severity})\n\n{inspect.getdoc(rule)}\n"


def rules_digest() -> Digest:
    """Return the digest of everything that a verdict depends on: the code of the rules, the probes and the renderer."""
    return tree_digest(Path(__file__).parent)
