"""JSON for programs: everything the report shows, under a schema version that changes when a field changes its
meaning or goes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pipeline.core.canonical import plain
from pipeline.record.model import Decision, Run
from pipeline.record.rates import tallies
from pipeline.report.model import Report

SUFFIX = "json"
WRITTEN = True
SCHEMA = "assay.report/1"


def render(report: Report) -> str:
    """Return indented JSON: times in ISO 8601, digests as ``sha256:…``, numbers that don't exist as null."""
    content = {
        "schema": SCHEMA,
        "model": report.name,
        "generated": report.generated,
        "assay_version": report.version,
        "lock_digest": str(report.lock.digest),
        "lock": report.lock.content(),
        "decision": None if report.decision is None else _decision(report.decision),
        "chain": [
            {
                "title": link.title,
                "note": link.note,
                "entries": [{"name": name, "digest": digest} for name, digest in link.entries],
            }
            for link in report.chain
        ],
        "baseline": None if report.baseline is None else asdict(report.baseline),
        "runs": [_run(run, report.counts(run)) for run in report.runs],
        "not_run": {stage: list(report.not_run(stage)) for stage in ("check", "eval")},
        "trends": [asdict(trend) for trend in report.trends],
        "engine": [asdict(fact) for fact in report.engine],
        "hardware": [asdict(fact) for fact in report.hardware],
        "reproduce": [asdict(command) for command in report.commands],
    }
    return json.dumps(plain(content), ensure_ascii=True, allow_nan=False, indent=2) + "\n"


def _decision(decision: Decision) -> dict[str, Any]:
    return asdict(decision) | {"digest": decision.digest}


def _run(run: Run, counts: bool) -> dict[str, Any]:
    return asdict(run) | {"counts": counts, "groups": [tally.content() for tally in tallies(run.result.outcomes)]}
