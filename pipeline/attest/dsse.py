"""DSSE envelopes (https://github.com/secure-systems-lab/dsse) around in-toto statements: signed as bytes, read after the check only."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.attest.keys import PrivateKey, PublicKey
from pipeline.core.canonical import canonical_bytes, read_json
from pipeline.core.errors import NotSigned

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
_MOST_SIGNATURES = 64


@dataclass(frozen=True)
class Opened:
    """A statement whose signature was checked, and the key that made it."""

    statement: dict[str, Any]
    key: PublicKey

    @property
    def digests(self) -> set[str]:
        """The sha256 of its subjects, in hex: what it speaks of. Names of subjects mean nothing."""
        return {str(subject["digest"]["sha256"]) for subject in self.statement["subject"]}


def pae(content: bytes) -> bytes:
    """Return what is signed: type and content, each with its length, so that neither can pass for the other."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(content), content)


def seal(statement: dict[str, Any], key: PrivateKey) -> dict[str, Any]:
    """Return a statement in a signed envelope."""
    content = canonical_bytes(statement)
    signature = {"keyid": key.public.id, "sig": _encode(key.sign(pae(content)))}
    return {"payload": _encode(content), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}


def unseal(content: bytes, keys: Sequence[PublicKey], place: str) -> Opened:
    """Return the statement of an envelope that one of ``keys`` signed; which key an envelope names is not trusted.

    Raises NotSigned for anything else, naming ``place``.
    """
    return opened(_read(content, place), keys, place)


def opened(envelope: Any, keys: Sequence[PublicKey], place: str) -> Opened:
    """Do what ``unseal`` does with an envelope that was read already."""
    try:
        payload, kind = _decode(envelope["payload"]), envelope["payloadType"]
        signatures = [_decode(one["sig"]) for one in envelope["signatures"][:_MOST_SIGNATURES]]
    except (ValueError, TypeError, KeyError):
        raise NotSigned(f"{place} is no signed envelope", hint="make it anew: assay attest NAME --key FILE") from None
    if kind != PAYLOAD_TYPE:
        raise NotSigned(f"{place} holds {str(kind)[:60]!r}, no in-toto statement", hint="was another file put there?")
    signed = pae(payload)
    key = next((key for key in keys for one in signatures if key.verifies(one, signed)), None)
    if key is None:
        known = ", ".join(key.id[:12] for key in keys)
        hint = "it was changed, or signed with another key: ask who signed it for the public key"
        raise NotSigned(f"{place} is signed by none of the trusted keys ({known})", hint=hint)
    return Opened(_statement(payload, place), key)


def _statement(payload: bytes, place: str) -> dict[str, Any]:
    try:
        statement = read_json(payload)
        sums = [subject["digest"]["sha256"] for subject in statement["subject"]]
        sound = statement["_type"] == STATEMENT and isinstance(statement["predicate"], dict) and bool(sums)
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise NotSigned(
            f"{place} is signed, but is no in-toto statement on digests", hint="was it made by something else?"
        )
    found: dict[str, Any] = statement
    return found


def _read(content: bytes, place: str) -> Any:
    try:
        return read_json(content)
    except ValueError:
        raise NotSigned(f"{place} is no JSON", hint="make it anew: assay attest NAME --key FILE") from None


def written(envelope: dict[str, Any]) -> str:
    """Return an envelope as its file holds it."""
    return json.dumps(envelope, sort_keys=True, indent=2) + "\n"


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decode(text: str) -> bytes:
    """Read base64, the usual or the one for URLs: DSSE allows both."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, AttributeError) as error:
        raise ValueError(str(error)) from None
