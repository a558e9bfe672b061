"""Is a lock attested by somebody who is trusted? Read from a folder of attestations; whatever is missing or other is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.attest.bundle import SIGNATURE, open_bundle, signature
from pipeline.attest.dsse import Opened, unseal
from pipeline.attest.keys import PublicKey
from pipeline.attest.statements import ASSAY, PASSED, PROVENANCE, SUMMARY
from pipeline.core.errors import NotSigned
from pipeline.lock.model import Lockfile

PROVENANCE_FILE, SUMMARY_FILE, BUNDLE_FILE = "provenance.dsse.json", "gate.dsse.json", "model.sig"
_MOST = 16 << 20


@dataclass(frozen=True)
class Attested:
    """One statement that holds for the lock, with what it says for people, and the key that signed it."""

    kind: str
    file: Path
    key: PublicKey
    said: str
    predicate: dict[str, Any]


def require_signed(lock: Lockfile, folder: Path, keys: Sequence[PublicKey]) -> list[Attested]:
    """Return what is attested of a lock: its provenance, that the gate accepted it, and the bundle over its files where there is one.

    Raises NotSigned for a statement that is missing, signed by none of ``keys``, about other digests, or a gate that said no.
    """
    found = [_provenance(lock, folder / PROVENANCE_FILE, keys), _gate(lock, folder / SUMMARY_FILE, keys)]
    bundle = folder / BUNDLE_FILE
    return [*found, _bundle(lock, bundle, keys)] if bundle.is_file() else found


def _provenance(lock: Lockfile, file: Path, keys: Sequence[PublicKey]) -> Attested:
    found = _about(lock, unseal(_read(lock, file), keys, str(file)), PROVENANCE, file)
    _covers({lock.digest.hex: f"the lock {lock.digest}"}, found, file)
    builder = _of(found, "runDetails", "builder")
    if builder.get("id") != ASSAY:
        raise NotSigned(
            f"{file}: made by {str(builder.get('id'))[:80]!r}, not by {ASSAY}", hint="was another file put there?"
        )
    return Attested(
        "provenance",
        file,
        found.key,
        f"locked by assay {_of(builder, 'version').get('assay')}",
        found.statement["predicate"],
    )


def _gate(lock: Lockfile, file: Path, keys: Sequence[PublicKey]) -> Attested:
    found = _about(lock, unseal(_read(lock, file), keys, str(file)), SUMMARY, file)
    wanted = {part.digest.hex: f"{part.path} ({part.digest})" for part in lock.files}
    _covers({lock.digest.hex: f"the lock {lock.digest}", **wanted}, found, file)
    predicate = found.statement["predicate"]
    if _of(predicate, "verifier").get("id") != ASSAY:
        raise NotSigned(f"{file}: not the verdict of {ASSAY}", hint="was another file put there?")
    if predicate.get("verificationResult") != PASSED:
        hint = f"assay gate {lock.name} says why; when it accepts: assay attest {lock.name} --key FILE"
        raise NotSigned(f"{file}: the gate did not accept {lock.name}", hint=hint)
    said = f"accepted at {predicate.get('timeVerified')}, {', '.join(map(str, predicate.get('verifiedLevels') or ()))}"
    return Attested("gate", file, found.key, said, predicate)


def _bundle(lock: Lockfile, file: Path, keys: Sequence[PublicKey]) -> Attested:
    found = _about(lock, open_bundle(_read(lock, file), keys, str(file)), SIGNATURE, file)
    wanted = signature(lock)
    _covers({wanted["subject"][0]["digest"]["sha256"]: "the files of the lock"}, found, file)
    count = len(wanted["predicate"]["resources"])
    if found.statement["predicate"].get("resources") != wanted["predicate"]["resources"]:
        raise NotSigned(f"{file}: signs other files than those of {lock.name}", hint=_again(lock))
    return Attested(
        "model-signing", file, found.key, f"{count} {'file' if count == 1 else 'files'}", found.statement["predicate"]
    )


def _about(lock: Lockfile, found: Opened, kind: str, file: Path) -> Opened:
    if found.statement.get("predicateType") != kind:
        said = str(found.statement.get("predicateType"))[:80]
        raise NotSigned(f"{file}: a statement of type {said!r}, not {kind}", hint=_again(lock))
    return found


def _covers(wanted: dict[str, str], found: Opened, file: Path) -> None:
    missing = [what for sum, what in wanted.items() if sum not in found.digests]
    if missing:
        hint = "the lock changed since it was attested, or these are the attestations of another: assay attest NAME --key FILE"
        raise NotSigned(f"{file}: nothing is attested of {', '.join(missing[:3])}", hint=hint)


def _of(found: Any, *names: str) -> dict[str, Any]:
    """Return an inner mapping; empty where there is none."""
    inner = found.statement["predicate"] if isinstance(found, Opened) else found
    for name in names:
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else {}


def _read(lock: Lockfile, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST + 1)
    except FileNotFoundError:
        if file.name == SUMMARY_FILE:
            hint = f"assay run {lock.name}, then assay attest {lock.name} --key FILE"
            raise NotSigned(
                f"no decision of the gate on {lock.name} is attested: {file} is missing", hint=hint
            ) from None
        raise NotSigned(f"{lock.name} is not attested: {file} is missing", hint=_again(lock)) from None
    if len(content) > _MOST:
        raise NotSigned(f"{file} is too large for an attestation", hint=_again(lock))
    return content


def _again(lock: Lockfile) -> str:
    return f"attest it: assay attest {lock.name} --key FILE"
