"""Text for people: each finding with what was seen and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.lint.formats._base import Linted
from pipeline.lint.model import TEMPLATE, Finding


def render(results: Sequence[Linted]) -> str:
    """Return one block a target. Line breaks within a line are written out: what a file says must not look like a line of
    ours, nor like a command to the program that reads a log.
    """
    return "\n".join(_on_one_line(line) for result in results for line in _lines(result))


def _on_one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _can_be_fixed(result: Linted, finding: Finding) -> bool:
    """Whether ``assay fix`` mends a finding: it needs a spec to write to."""
    return finding.mend is not None and result.file.endswith((".yaml", ".yml"))


def _in_a_spec(finding: Finding) -> str:
    """Return what a spec would have to say, in YAML on one line; a template does not fit there."""
    if finding.mend is None or finding.mend.path == TEMPLATE:
        return ""
    written = json.dumps(finding.mend.value).replace('"', "")
    for key in reversed(finding.mend.path):
        written = f"{{{key}: {written}}}"
    return f" (in a spec: {written[1:-1]})"


def _lines(result: Linted) -> list[str]:
    count = len(result.findings)
    lines = [f"{result.target}: {f'{count} finding' + 's' * (count != 1) if count else 'no findings'}"]
    for finding in result.findings:
        known = " (in the baseline)" if finding in result.known else ""
        place = f" {finding.where}" if finding.where else ""
        lines.append(f"  {finding.severity} {finding.code}{place}: {finding.message}{known}")
        by_itself = (
            f" (assay fix {result.target} --code {finding.code})"
            if _can_be_fixed(result, finding)
            else _in_a_spec(finding)
        )
        seen = (("seen", finding.evidence), ("fix", finding.fix + by_itself))
        lines += [f"      {label}: {text}" for label, text in seen if text]
    if codes := list(dict.fromkeys(finding.code for finding in result.findings)):
        lines.append(
            f"  why that matters: {', '.join(f'assay explain {code}' for code in codes[:3])}{' …' * (len(codes) > 3)}"
        )
    return lines + [f"  {line}" for line in result.unjudged]
