"""Attest a lock, and ask whether one is attested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import __version__
from pipeline.attest.bundle import bundle
from pipeline.attest.check import BUNDLE_FILE, PROVENANCE_FILE, SUMMARY_FILE, Attested, require_signed
from pipeline.attest.dsse import seal, written
from pipeline.attest.keys import PrivateKey, PublicKey
from pipeline.attest.statements import provenance, summary
from pipeline.core.digest import Digest
from pipeline.core.files import atomic_write
from pipeline.flow.decided import decision_on_record
from pipeline.flow.prepare import verify_all
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile


@dataclass(frozen=True)
class Made:
    """What was written, and what could not be, each with the reason."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]
    accepted: bool | None


def attest(session: Session, lock: Lockfile, key: PrivateKey, folder: Path) -> Made:
    """Write signed statements on a lock into ``folder``: provenance, the gate's newest decision here, a bundle over its files.

    Every byte is hashed before: raises DigestMismatch where the store has others. What was there before and can't be made now is removed,
    so that no old statement stands beside new ones.
    """
    verify_all(session, [lock], deep=True)
    made = {PROVENANCE_FILE: written(seal(provenance(lock, __version__), key))}
    missing = []
    decision = decision_on_record(session, lock)
    if decision is None:
        missing.append(f"the gate's decision: none on record for this engine and hardware (assay run {lock.name})")
    else:
        inputs = [(f"assay:attestation/{lock.name}/{PROVENANCE_FILE}", Digest.of(made[PROVENANCE_FILE].encode()))]
        statement = summary(lock, decision, decision.digest, inputs, __version__)
        made[SUMMARY_FILE] = written(seal(statement, key))
    if key.public.is_ec:
        made[BUNDLE_FILE] = written(bundle(lock, key))
    else:
        missing.append("the model-signing bundle: OpenSSF Model Signing takes keys on P-256, not ed25519")
    for name in (PROVENANCE_FILE, SUMMARY_FILE, BUNDLE_FILE):
        if name in made:
            atomic_write(folder / name, made[name])
        else:
            (folder / name).unlink(missing_ok=True)
    files = tuple(folder / name for name in made)
    return Made(files, tuple(missing), decision.accepted if decision else None)


def signed(session: Session, lock: Lockfile, keys: Sequence[PublicKey]) -> list[Attested]:
    """Return what trusted keys attest of a lock. Raises NotSigned."""
    return require_signed(lock, session.project.attestations / lock.name, keys)
