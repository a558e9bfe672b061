"""Keys: private ones from a PEM file that is its owner's alone, public ones from a file or a folder. Ed25519 and P-256, nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSWORD = "ASSAY_KEY_PASSWORD"
HOW_TO_MAKE = (
    "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && chmod 600 key.pem"
)
_MOST = 64 << 10
_ENDINGS = (".pem", ".pub")


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are checked with. ``id`` is the sha256 of its PEM, in hex, as OpenSSF Model Signing names keys."""

    id: str
    place: str
    key: EllipticCurvePublicKey | Ed25519PublicKey

    @property
    def is_ec(self) -> bool:
        """Whether it is a key on P-256."""
        return hasattr(self.key, "curve")

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Tell whether this key's owner signed ``content``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self.key, EllipticCurvePublicKey):
                self.key.verify(signature, content, ECDSA(SHA256()))
            else:
                self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """A key to sign with. It has no text form, so that no message or log can hold it."""

    public: PublicKey
    _key: EllipticCurvePrivateKey | Ed25519PrivateKey

    def sign(self, content: bytes) -> bytes:
        """Return the signature: the same for the same content, also on P-256 (RFC 6979), where OpenSSL can."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if not isinstance(self._key, EllipticCurvePrivateKey):
            return self._key.sign(content)
        try:
            return self._key.sign(content, ECDSA(SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            return self._key.sign(content, ECDSA(SHA256()))


def read_private(path: Path) -> PrivateKey:
    """Return the private key of a PEM file; the password of an encrypted one is taken from ``$ASSAY_KEY_PASSWORD``.

    Raises UsageError for a file that others can read, and for what is no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} can be read by others", hint=f"chmod 600 {path}, and think of who may have read it")
    encrypted = b"ENCRYPTED" in content
    password = os.environ.get(PASSWORD, "").encode() if encrypted else b""
    if encrypted and not password:
        raise UsageError(f"{path} is encrypted", hint=f"put its password into the environment variable {PASSWORD}")
    try:
        key = load_pem_private_key(content, password or None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        said = "opens with no such password" if encrypted else "holds no private key in PEM"
        raise UsageError(f"{path} {said}", hint=HOW_TO_MAKE) from None
    return PrivateKey(_public(key.public_key(), path), key)  # type: ignore[arg-type]  # _public refused the others


def read_public(path: Path) -> tuple[PublicKey, ...]:
    """Return the public keys of a PEM file, or of all ``*.pem`` and ``*.pub`` in a folder. Raises UsageError where there is none."""
    if not path.is_dir():
        return (_load_public(path),)
    found = tuple(_load_public(file) for file in sorted(path.iterdir()) if file.suffix in _ENDINGS)
    if not found:
        raise UsageError(f"{path} holds no public key", hint="put files there that end in .pem or .pub")
    return found


def read_all(paths: Sequence[Path]) -> tuple[PublicKey, ...]:
    """Return the public keys of files and folders, each once."""
    return tuple({key.id: key for path in paths for key in read_public(path)}.values())


def _load_public(path: Path) -> PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} is a private key", hint=f"openssl pkey -in {path} -pubout prints its public one")
    try:
        return _public(load_pem_public_key(content), path)
    except (ValueError, UnsupportedAlgorithm):
        hint = "openssl pkey -in key.pem -pubout prints the public key of a private one"
        raise UsageError(f"{path} holds no public key in PEM", hint=hint) from None


def _public(key: object, path: Path) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, EllipticCurvePublicKey):
        fits = key.curve.name == "secp256r1"
    else:
        fits = isinstance(key, Ed25519PublicKey)
    if not fits or not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey):
        raise UsageError(f"{path} is neither an ed25519 key nor one on P-256", hint=HOW_TO_MAKE)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(hashlib.sha256(pem).hexdigest(), str(path), key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="name a key in a PEM file") from None
    if len(content) > _MOST:
        raise UsageError(f"{path} is too large for a key", hint="name a key in a PEM file")
    return content
