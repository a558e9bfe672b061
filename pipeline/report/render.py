"""Reports in every format that is found."""

from __future__ import annotations

from typing import cast

from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.report.formats._base import Format
from pipeline.report.model import Report


def formats() -> dict[str, Format]:
    """Return the formats by name."""
    return {name: cast(Format, module) for name, module in discover("pipeline.report.formats").items()}


def render(report: Report, format: str) -> str:
    """Return the report as text in the named format. Raises UsageError for a format that doesn't exist."""
    return format_of(format).render(report)


def format_of(name: str) -> Format:
    """Return the named format. Raises UsageError for one that doesn't exist."""
    known = formats()
    if name not in known:
        raise UsageError(f"no report format {name!r}", hint=f"one of: {', '.join(known)}")
    return known[name]
