"""What is attested, as in-toto statements: SLSA provenance of a lock, and a verification summary of the gate's decision. Pure.

No statement holds a clock of its own: the same lock and the same decision give the same statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from pipeline.attest.dsse import STATEMENT
from pipeline.checks.model import Verdict
from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.record.model import Decision, Reason

PROVENANCE = "https://slsa.dev/provenance/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
ASSAY = "pkg:pypi/model-assay"
BUILD_TYPE = f"{ASSAY}#lock/v1"
PASSED, FAILED = "PASSED", "FAILED"


def provenance(lock: Lockfile, version: str) -> dict[str, Any]:
    """Return where a lock comes from (https://slsa.dev/spec/v1.0/provenance): made of its spec by a version of Assay, from these bytes.

    Its subject is the lock's digest. The materials are the files, the source of the engine and the suites.
    """
    inside = {
        "argv": list(lock.argv),
        "buildFlags": list(lock.engine.build_flags),
        "lockVersion": lock.lock_version,
    }
    outside = {
        "spec": {"name": lock.name, "digest": {"sha256": _hex(lock.spec_digest)}},
        "source": lock.source.original,
        "resolved": lock.source.resolved,
    }
    engine = {
        "name": "llama.cpp",
        "uri": f"pkg:pypi/llama-cpp-python@{lock.engine.llama_cpp_python}",
        "digest": {"gitCommit": lock.engine.llama_cpp_commit},
    }
    suites = [
        {"name": f"evals/{name}", "digest": {"sha256": _hex(suite.digest)}, "annotations": {"version": suite.version}}
        for name, suite in sorted(lock.suites.items())
    ]
    return _statement(
        [_lock(lock)],
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": outside,
                "internalParameters": inside,
                "resolvedDependencies": [*map(_material, lock.files), engine, *suites],
            },
            "runDetails": {"builder": {"id": ASSAY, "version": {"assay": version}}},
        },
    )


def summary(
    lock: Lockfile, decision: Decision, decision_digest: str, inputs: Sequence[tuple[str, Digest]], version: str
) -> dict[str, Any]:
    """Return what the gate said of a lock (https://slsa.dev/spec/v1.0/verification_summary). ``inputs`` are further attestations that
    it rests on, by name.

    Its subjects are the lock and every file. The policy is that of spec and catalog together. Levels are Assay's own and no SLSA level:
    ``ASSAY_`` and what held: ``PINNED``, ``LINT``, ``CHECKS``, ``EVALS``, ``BENCH``, ``POLICY``.
    """
    notes = {
        "assay": version,
        "decision": decision.id,
        "engine": decision.engine_digest,
        "hardware": decision.hardware_digest,
    }
    waived = [f"{reason.rule}: {reason.waived}" for reason in decision.reasons if reason.waived]
    subject = {**_lock(lock), "annotations": {**notes, **({"waived": waived} if waived else {})}}
    used = [("assay:decision", Digest.parse(decision_digest)), *inputs]
    return _statement(
        [subject, *({"name": file.path, "digest": _sum(file)} for file in lock.files)],
        SUMMARY,
        {
            "verifier": {"id": ASSAY},  # in-toto's own reader knows no version here: it stands beside the subject
            "timeVerified": decision.decided.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z",
            "resourceUri": lock.source.resolved,
            "policy": {"uri": f"assay:gates/{lock.name}", "digest": {"sha256": digest_of(decision.spec_gates).hex}},
            "inputAttestations": [{"uri": name, "digest": {"sha256": digest.hex}} for name, digest in used],
            "verificationResult": PASSED if decision.accepted else FAILED,
            "verifiedLevels": list(_levels(decision.reasons)) if decision.accepted else [FAILED],
            "slsaVersion": "1.0",
        },
    )


def _levels(reasons: Iterable[Reason]) -> Iterable[str]:
    """Yield what held without being waived."""
    held: dict[str, bool] = {}
    for reason in reasons:
        if area := _area(reason.rule):
            held[area] = held.get(area, True) and reason.verdict is Verdict.PASS
    yield "ASSAY_PINNED"
    yield from (f"ASSAY_{area}" for area in ("LINT", "CHECKS", "EVALS", "BENCH", "POLICY") if held.get(area))


def _area(rule: str) -> str:
    starts = {"policy ": "POLICY", "lint": "LINT", "check suite ": "CHECKS", "bench.": "BENCH", "eval suite ": "EVALS"}
    known = next((area for start, area in starts.items() if rule.startswith(start)), "")
    if known or rule == "gates":
        return known
    return "EVALS" if "." in rule.partition(":")[0] else "CHECKS"


def _statement(subjects: list[dict[str, Any]], kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    return {"_type": STATEMENT, "subject": subjects, "predicateType": kind, "predicate": predicate}


def _lock(lock: Lockfile) -> dict[str, Any]:
    """The lock as a subject: its digest is over its canonical JSON, not over the indented file."""
    return {"name": f"assay:lock/{lock.name}", "digest": {"sha256": lock.digest.hex}}


def _material(file: LockedFile) -> dict[str, Any]:
    notes = {"role": file.role, "size": file.size, "known": file.known}
    return {"name": file.path, "uri": file.urls[0], "digest": _sum(file), "annotations": notes}


def _sum(file: LockedFile) -> dict[str, str]:
    return {"sha256": file.digest.hex}


def _hex(digest: str) -> str:
    return Digest.parse(digest).hex
