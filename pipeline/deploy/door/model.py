"""What the front door is given: the engines behind it, and how much it takes from whom."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.deploy.door.hosts import check_names
from pipeline.deploy.door.keys import read_keys


@dataclass(frozen=True)
class Upstream:
    """One llama-server that is up. ``digest`` is that of its weights, ``lock`` that of its lock, each as ``sha256:…``;
    it listens on a unix socket and wants ``key``. It gets ``slots`` requests at a time. ``profile`` is what its spec
    says that the model is for; "" where nobody said, and everything is passed.
    """

    name: str
    digest: str
    lock: str
    socket: Path
    key: str = field(repr=False)
    slots: int = 1
    profile: str = ""

    @property
    def names(self) -> tuple[str, str]:
        """What a request may call it."""
        return self.name, f"{self.name}@{self.digest}"


@dataclass(frozen=True)
class Limits:
    """How much the door takes. ``queue`` counts the waiting requests of each model; sizes are bytes, times seconds.

    ``wait``: in the queue. ``head`` and ``body``: until they are there, however slowly they come. ``idle``: a connection
    without a request. ``stall``: a client that does not read. ``silence``: an engine that says nothing.
    """

    queue: int = 64
    wait: float = 120.0
    connections: int = 4096
    head_size: int = 32 << 10
    body_size: int = 16 << 20
    bodies_size: int = 256 << 20
    head: float = 10.0
    body: float = 60.0
    idle: float = 75.0
    stall: float = 60.0
    silence: float = 600.0


@dataclass(frozen=True)
class Settings:
    """What the door is told. ``keys`` is the file with API keys; ``hosts`` and ``origins`` come on top of loopback's
    names and of no origin; ``bodies``: write requests into the log as they came.
    """

    keys: Path
    log: Path
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    limits: Limits = Limits()
    bodies: bool = False
    tls: tuple[Path, Path] | None = None

    def check(self) -> None:
        """Raise UsageError for what a door can't be opened with: keys, names, a certificate."""
        check_names(self.hosts, self.origins)
        read_keys(self.keys)
        self.context()

    def context(self) -> ssl.SSLContext | None:
        """Return what encrypts, None for plain http. Raises UsageError for a certificate or key that can't be used."""
        if self.tls is None:
            return None
        cert, key = self.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            if key.stat().st_mode & 0o007:
                raise UsageError(f"{key} can be read by others", hint=f"chmod 600 {key}")
            # Never asks for a passphrase on the terminal: an encrypted key is refused.
            context.load_cert_chain(cert, key, password=lambda: "")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"no TLS with {cert} and {key}: {said}", hint="both as PEM, the key unencrypted") from None
        return context
