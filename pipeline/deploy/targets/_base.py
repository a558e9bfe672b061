"""What a target is: a module that turns an order into a plan."""

from __future__ import annotations

from typing import Protocol, cast

from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.deploy.plan import Order, Plan


class Target(Protocol):
    """A module of this package. ``STARTS`` tells whether Assay itself starts and stops what is deployed there; else it writes files for
    whoever does. ``IMAGE`` tells whether a container image must be named.
    """

    STARTS: bool
    IMAGE: bool

    def render(self, order: Order) -> Plan:
        """Return the plan: the same order, the same plan. Raises UsageError for what this target can't do."""


def targets() -> dict[str, Target]:
    """Return the targets by name."""
    return {name: cast(Target, module) for name, module in discover("pipeline.deploy.targets").items()}


def target_of(name: str) -> Target:
    """Return one target. Raises UsageError with those that there are."""
    known = targets()
    if name not in known:
        raise UsageError(f"no target {name!r}", hint=f"one of: {', '.join(known)}")
    return known[name]
