"""Find the rules, let them judge a subject, explain them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.canonical import digest_of, tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.lint.model import Finding, Stage
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

if TYPE_CHECKING:
    from pipeline.spec.model import Spec


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by its code, sorted."""
    found = [module.RULE for module in discover("pipeline.lint.rules").values()]
    return {rule.code: rule for rule in sorted(found, key=lambda rule: rule.code)}


def lint(subject: Subject, *, upto: Stage = Stage.PLAYBACK, today: date | None = None) -> tuple[Finding, ...]:
    """Return what the rules find, the worst first; what the spec ignores is left out, as long as it does. Rules of stages
    beyond ``upto`` are not asked.
    """
    left_out = ignored(subject.spec, today) if subject.spec else frozenset()
    if upto is not Stage.HEADER and subject.engine is not None:
        from pipeline.runtime.vocabulary import warm

        warm()  # while the rules of the first stage judge
    found = [
        finding
        for code, rule in rules().items()
        if code not in left_out and not _skip(rule, subject, upto)
        for finding in rule.check(subject)
    ]
    return tuple(
        sorted(found, key=lambda finding: (-finding.severity.rank, finding.code, finding.where, finding.message))
    )


def ignored(spec: Spec, today: date | None = None) -> frozenset[str]:
    """Return the codes that a spec ignores today (by UTC), those whose time is over left out."""
    day = (today or datetime.now(UTC).date()).isoformat()
    return frozenset(item.code for item in spec.lint.ignore if item.until is None or day <= item.until)


def selected(codes: Iterable[str], select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    """Return those of ``codes`` that begin with one of ``select`` (all, where there is none) and with none of ``ignore``. Raises
    UsageError for a beginning that no rule has.
    """
    select, ignore = ([one.upper() for one in group] for group in (select, ignore))
    for beginning in (*select, *ignore):
        if not any(code.startswith(beginning) for code in rules()):
            raise UsageError(f"no rule begins with {beginning!r}", hint=f"the rules are {', '.join(rules())}")
    return frozenset(
        code
        for code in codes
        if (not select or code.startswith(tuple(select))) and not (ignore and code.startswith(tuple(ignore)))
    )


def skipped(subject: Subject, upto: Stage = Stage.PLAYBACK) -> dict[str, str]:
    """Return the rules that can't judge this subject, each with the reason. Not judged is not clean."""
    reasons = {code: _skip(rule, subject, upto) for code, rule in rules().items()}
    return {code: reason for code, reason in reasons.items() if reason}


def _skip(rule: Rule, subject: Subject, upto: Stage) -> str:
    """Say why a rule can't judge a subject; "" when it can. What is asked of an engine is asked only here and after."""
    if rule.stage.rank > upto.rank:
        return f"the stage {rule.stage} was not asked for"
    if rule.stage is not Stage.HEADER and subject.engine is None:
        return "there is no engine to ask: assay doctor says why"
    return rule.skip(subject)


def explain(code: str) -> str:
    """Return a rule's documentation. Raises UsageError for a code that no rule has."""
    rule = rules().get(code.upper())
    if rule is None:
        raise UsageError(f"no rule has the code {code!r}", hint=f"the rules are {', '.join(rules())}")
    return f"{rule.code} {rule.slug} ({rule.severity})\n\n{inspect.getdoc(rule)}\n"


@cache
def rules_digest() -> Digest:
    """Return the digest of everything that a verdict depends on beside the file and the engine: the code of the rules, of the
    probes and the renderer, and of what reads files and asks the engine. Read once: a process judges by one state of it.
    """
    root = Path(__file__).parents[1]
    parts = {part: str(tree_digest(root / part)) for part in ("lint", "gguf", "runtime")}
    more = ("lock/argv.py", "lock/clock.py", "spec/overrides.py", "spec/sources/_splits.py")
    return digest_of(parts | {path: str(Digest.of_file(root / path)) for path in more})
