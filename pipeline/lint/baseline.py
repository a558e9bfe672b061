"""A baseline: findings that were there when a project began to lint. They are shown and count no more; new ones do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.canonical import read_json
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.lint.formats._base import Linted, fingerprint

_SCHEMA = "assay.lint-baseline/1"


def read_baseline(path: Path) -> set[str]:
    """Return the fingerprints of a baseline file. Raises UsageError."""
    hint = "write one: assay lint --write-baseline FILE"
    try:
        content = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no baseline: {error}", hint=hint) from None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise UsageError(f"{path} is no baseline: its schema is not {_SCHEMA}", hint=hint)
    return {str(entry["fingerprint"]) for entry in content.get("findings", []) if isinstance(entry, dict)}


def write_baseline(path: Path, results: Iterable[Linted]) -> int:
    """Write all findings of now; returns how many."""
    entries = [
        {
            "target": result.target,
            "code": finding.code,
            "message": finding.message,
            "fingerprint": fingerprint(result.target, finding),
        }
        for result in results
        for finding in result.findings
    ]
    atomic_write(path, json.dumps({"schema": _SCHEMA, "findings": entries}, indent=2, ensure_ascii=False) + "\n")
    return len(entries)
