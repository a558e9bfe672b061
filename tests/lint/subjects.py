"""Subjects for the tests of rules: the sound model, with a template, facts, metadata or a spec of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from pipeline.lint.engine import rules
from pipeline.lint.model import Finding, Severity
from pipeline.lint.subject import Subject, subject_of
from pipeline.spec.model import Spec
from tests import zoo


@cache
def sound() -> Subject:
    """The embedded model with the spec that it fits."""
    return subject_of(zoo.SOUND, spec=zoo.spec())


def chatml() -> str:
    """The sound model's template."""
    assert sound().template
    return str(sound().template)


def subject(*, template: str | None = "", spec: Spec | None = None, license_id: str = "", **facts: Any) -> Subject:
    """The sound model with something replaced: "" keeps the template, the spec and the licence as they are."""
    base = sound()
    chosen = base.template if template == "" else template
    return replace(
        base,
        template=chosen,
        spec=spec or base.spec,
        license_id=license_id or base.license_id,
        facts=replace(base.facts, chat_template=chosen, **facts),
    )


def findings(code: str, of: Subject) -> list[Finding]:
    """What one rule finds; the rule must be able to judge."""
    rule = rules()[code]
    assert rule.skip(of) == ""
    return list(rule.check(of))


def one(code: str, of: Subject, severity: Severity) -> Finding:
    """The one finding that a rule has, of the right severity, with everything that a finding needs."""
    (found,) = findings(code, of)
    assert (found.code, found.severity) == (code, severity)
    assert all((found.message, found.where, found.evidence, found.fix))
    return found
