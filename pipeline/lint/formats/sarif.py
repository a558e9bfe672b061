"""SARIF 2.1.0 for code scanning: rules with their documentation, results with fingerprints, suppressions for the baseline."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pipeline import __version__
from pipeline.lint.engine import rules
from pipeline.lint.formats._base import Linted, fingerprint
from pipeline.lint.model import Finding, Severity

_AS_IT_IS = "/:@!$&'()*+,;=~"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(results: Sequence[Linted]) -> str:
    """Return the log: one run, every rule described, each finding a result at its target's file."""
    told = list(rules())
    run = {
        "tool": {"driver": {"name": "assay", "version": __version__, "rules": [_rule(code) for code in told]}},
        "results": [_result(result, finding, told) for result in results for finding in result.findings],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": f"{result.target}: {code} not evaluated: {reason}"}}
                    for result in results
                    for code, reason in result.not_evaluated.items()
                ],
            }
        ],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True)


def _rule(code: str) -> dict[str, Any]:
    rule = rules()[code]
    return {
        "id": code,
        "name": rule.slug,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": inspect.getdoc(rule) or rule.summary},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(result: Linted, finding: Finding, told: list[str]) -> dict[str, Any]:
    text = "\n".join(part for part in (finding.message, finding.evidence, finding.fix) if part)
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": quote(result.file, safe=_AS_IT_IS)}}}
    if finding.where:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.where}]
    content: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": told.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"assay/v1": fingerprint(result.target, finding)},
    }
    if finding in result.known:
        content["suppressions"] = [{"kind": "external", "justification": "in the baseline"}]
    return content
