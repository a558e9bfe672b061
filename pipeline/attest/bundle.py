"""OpenSSF Model Signing bundles (https://github.com/ossf/model-signing-spec), with a key of one's own: what ``model_signing verify key``
takes for a folder with the model's files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pipeline.attest.dsse import STATEMENT, Opened, opened, seal
from pipeline.attest.keys import PrivateKey, PublicKey
from pipeline.core.canonical import read_json
from pipeline.core.errors import NotSigned
from pipeline.lock.model import Lockfile

SIGNATURE = "https://model_signing/signature/v1.0"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def bundle(lock: Lockfile, key: PrivateKey) -> dict[str, Any]:
    """Return the bundle over all files of a lock, by their digests: they are not read again. The key must be on P-256."""
    envelope = seal(signature(lock), key)
    signed = [{"sig": one["sig"], "keyid": ""} for one in envelope["signatures"]]
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public.id}, "tlogEntries": []},
        "dsseEnvelope": {**envelope, "signatures": signed},
    }


def signature(lock: Lockfile) -> dict[str, Any]:
    """Return the statement that is signed: the files by name, and one digest over theirs."""
    files = sorted((file.path, file.digest.hex) for file in lock.files)
    whole = hashlib.sha256(b"".join(bytes.fromhex(sum) for _, sum in files)).hexdigest()
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []}
    resources = [{"name": path, "algorithm": "sha256", "digest": sum} for path, sum in files]
    return {
        "_type": STATEMENT,
        "subject": [{"name": lock.name, "digest": {"sha256": whole}}],
        "predicateType": SIGNATURE,
        "predicate": {"serialization": serialization, "resources": resources},
    }


def open_bundle(content: bytes, keys: Sequence[PublicKey], place: str) -> Opened:
    """Return the signed statement of a bundle. Raises NotSigned."""
    try:
        envelope = read_json(content)["dsseEnvelope"]
    except (ValueError, TypeError, KeyError):
        raise NotSigned(
            f"{place} is no model-signing bundle", hint="make it anew: assay attest NAME --key FILE"
        ) from None
    return opened(envelope, keys, place)
