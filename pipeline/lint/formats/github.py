"""Annotations of GitHub Actions: findings shown at the file in a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.lint.formats._base import Linted
from pipeline.lint.model import Finding, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(results: Sequence[Linted]) -> str:
    """Return one workflow command a finding; those of the baseline are left out. And a notice for each target of which rules
    could not judge something, since that is not clean: one, because GitHub shows ten of them at most.
    """
    return "\n".join(line for result in results for line in _lines(result))


def _lines(result: Linted) -> Iterator[str]:
    yield from (_command(result, finding) for finding in result.findings if finding not in result.known)
    if result.unjudged:
        properties = f"file={_property(result.file)},title={_property(f'not evaluated in {result.target}')}"
        yield f"::notice {properties}::{_data(chr(10).join(result.unjudged))}"


def _command(result: Linted, finding: Finding) -> str:
    title = f"{finding.code} in {result.target}"
    text = "\n".join(part for part in (finding.message, finding.where, finding.evidence, finding.fix) if part)
    properties = f"file={_property(result.file)},title={_property(title)}"
    return f"::{_LEVELS[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
