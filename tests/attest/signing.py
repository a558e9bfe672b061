"""Keys made by openssl, as a user makes them, and what they sign."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.attest.keys import PrivateKey, read_private
from pipeline.checks.model import Verdict
from pipeline.core.canonical import digest_of
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, Reason
from tests.factories import ENGINE, HARDWARE

ALGORITHMS = {"p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "ed25519": ("ed25519",)}
DECISION_DIGEST = str(digest_of("decision"))


def make_key(folder: Path, kind: str = "p256", name: str = "key", *options: str) -> Path:
    """Make a private key ``NAME.pem`` and its public one ``NAME.pub``."""
    private = folder / f"{name}.pem"
    command = ["openssl", "genpkey", "-algorithm", *ALGORITHMS[kind], *options, "-out", str(private)]
    subprocess.run(command, check=True, capture_output=True)
    private.chmod(0o600)
    password = ["-passin", f"pass:{options[-1].removeprefix('pass:')}"] if options else []
    command = ["openssl", "pkey", "-in", str(private), *password, "-pubout", "-out", str(private.with_suffix(".pub"))]
    subprocess.run(command, check=True, capture_output=True)
    return private


def private(folder: Path, kind: str = "p256", name: str = "key") -> PrivateKey:
    """Make a key and read it."""
    return read_private(make_key(folder, kind, name))


def decision_on(lock: Lockfile, accepted: bool = True, **changes: Any) -> Decision:
    """Return a decision with a reason of every sort."""
    said = Verdict.PASS if accepted else Verdict.FAIL
    reasons = (
        Reason("lint: nothing worse than warning", Verdict.PASS, "no findings"),
        Reason("check suite tiny-stop: run", Verdict.PASS, "3 pass"),
        Reason("stop-tokens", said, "3 of 3"),
        Reason("tiny-choice.accuracy: min 0.6", Verdict.FAIL, "0.5", waived="accepted by Ada: known"),
        Reason("policy license: declared", Verdict.PASS, "apache-2.0"),
    )
    digests = (str(lock.digest), ENGINE, HARDWARE)
    decided = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
    return Decision(
        "20260314T092653-0001", lock.name, *digests, accepted, reasons, ("run-1",), decided, {"lint": "warning"}
    )
