"""Annotations of GitHub Actions: findings shown at the file in a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.lint.formats._base import Linted
from pipeline.lint.model import Finding, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(results: Sequence[Linted]) -> str:
    """Return one workflow command a finding; those of the baseline are left out."""
    return "\n".join(
        _command(result, finding) for result in results for finding in result.findings if finding not in result.known
    )


def _command(result: Linted, finding: Finding) -> str:
    title = f"{finding.code} in {result.target}"
    text = "\n".join(part for part in (finding.message, finding.where, finding.evidence, finding.fix) if part)
    properties = f"file={_property(result.file)},title={_property(title)}"
    return f"::{_LEVELS[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
