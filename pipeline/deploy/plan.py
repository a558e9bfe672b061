"""What a deployment comes to, before anything is done: files to write, the engine's command line, and steps. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.core.errors import UsageError
from pipeline.gguf.memory import Memory
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.runtime.params import Listen, server_argv

_MIB = 1 << 20
# How far the plan may be off, and what it doesn't know: requests that are read, other builds and libraries.
_OVERHEAD, _SHARE = 128 * _MIB, 1.1


@dataclass(frozen=True)
class Host:
    """What of this machine is in a plan. ``engine`` maps the files of the engine to their digests; ``threads`` are those that the engine
    gets where the spec leaves it open; ``memory`` is in bytes, None where it is not known.
    """

    root: Path
    server: Path
    engine: dict[Path, str]
    environment: dict[str, str]
    threads: int
    memory: int | None = None


@dataclass(frozen=True)
class Order:
    """What is to be deployed, and how. ``paths`` says where each file of the lock lies on this machine, ``weights`` what the engine is
    given of them; ``decision`` is the id of the gate's decision; ``image`` a container image by digest; ``address`` and ``port`` are
    where clients find it.
    """

    lock: Lockfile
    host: Host
    paths: dict[str, Path]
    weights: Path
    memory: Memory
    decision: str = ""
    address: str = "127.0.0.1"
    port: int = 8080
    image: str = ""
    socket: Path | None = None

    @property
    def threads(self) -> int:
        """Threads of the engine."""
        return self.lock.spec.engine.threads or self.host.threads

    @property
    def limit(self) -> int:
        """Bytes of memory that the deployment may take: what it comes to by the plan, a tenth and 128 MiB more."""
        wanted = self.memory.total * _SHARE + _OVERHEAD
        return int(-(-wanted // _MIB)) * _MIB

    @property
    def gpu(self) -> bool:
        """Whether the engine computes on a GPU."""
        return self.lock.spec.engine.gpu_layers > 0

    def path(self, file: LockedFile | None) -> Path | None:
        """Return where a file of the lock lies on this machine."""
        return self.paths[file.sha256] if file else None


@dataclass(frozen=True)
class Plan:
    """What will be done. ``files`` are texts by name, for the folder of ``--output``; ``argv`` and ``env`` the engine's; ``steps`` shell
    commands, and what else the reader does, in order.
    """

    name: str
    target: str
    argv: tuple[str, ...]
    env: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


def require_fits(order: Order, given: int | None = None) -> None:
    """Raise UsageError, with the arithmetic, when the model needs more memory than is ``given`` in bytes; where nobody says, than the
    machine has.
    """
    have = order.host.memory if given is None else given
    if have is None or (given is None and order.gpu) or order.limit <= have:
        return
    whose = "this machine has" if given is None else "it may take"
    summed = " + ".join(f"{what} {_mib(size)}" for what, size in order.memory.summands().items())
    said = (
        f"{order.lock.name} does not fit: {summed}, and a tenth and {_mib(_OVERHEAD)} more, make "
        f"{'at least ' if order.memory.least else ''}{_mib(order.limit)}; {whose} {_mib(have)}"
    )
    raise UsageError(said, hint="a smaller quantization, fewer slots or a shorter context in the spec")


def host_argv(order: Order, *, key_file: str) -> tuple[str, ...]:
    """Return the engine's whole command line on this machine; ``key_file`` is where it finds its key."""
    lock = order.lock
    listen = Listen(str(order.socket)) if order.socket else Listen(order.address, order.port)
    arguments = server_argv(
        lock,
        weights=order.weights,
        template=order.path(lock.template),
        mmproj=order.path(lock.mmproj),
        listen=listen,
        key_file=Path(key_file),
        threads=order.threads,
    )
    return (str(order.host.server), *arguments)


def host_sums(order: Order) -> str:
    """Return what ``sha256sum --check`` reads: the model's files, and the engine's. Raises UsageError for a path that it can't."""
    listed = [(file.digest.hex, order.paths[file.sha256]) for file in order.lock.files]
    listed += [(digest.removeprefix("sha256:"), path) for path, digest in sorted(order.host.engine.items())]
    for _, path in listed:
        if "\\" in str(path) or not str(path).isprintable():
            raise UsageError(f"{str(path)!r} can't stand in a list of sums", hint="move the store to a plain path")
    return "".join(f"{digest}  {path}\n" for digest, path in listed)


def about(order: Order) -> dict[str, str]:
    """Return what a deployment rests on, for labels and comments."""
    lock = order.lock
    template = lock.template.sha256 if lock.template else lock.gguf.get("template_digest")
    return {
        "lock": str(lock.digest),
        "weights": lock.weights.sha256,
        **({"template": str(template)} if template else {}),
        "llama.cpp": lock.engine.llama_cpp_commit,
        **({"decision": order.decision} if order.decision else {}),
    }


def in_container(file: LockedFile, lock: Lockfile) -> PurePosixPath:
    """Return where a file of the lock is mounted in a container; the parts of a split set are found by their names."""
    if file.role in ("weights", "shard") and len(lock.shards) > 1:
        return PurePosixPath(f"/model/weights-{lock.shards.index(file) + 1:05}-of-{len(lock.shards):05}.gguf")
    names = {"weights": "weights.gguf", "mmproj": "mmproj.gguf", "chat_template": "template.jinja"}
    return PurePosixPath("/model") / names.get(file.role, f"{file.digest.hex}")


def used(lock: Lockfile) -> tuple[LockedFile, ...]:
    """Return the files of a lock that the engine is given."""
    return (*lock.shards, *(file for file in (lock.mmproj, lock.template) if file))


def label(name: str) -> str:
    """Return a name as DNS and Kubernetes take it: letters, digits and dashes. Two names never give the same."""
    plain = re.sub("[^a-z0-9-]", "-", name).strip("-")[:40].rstrip("-")
    if plain == name:
        return plain
    from pipeline.core.digest import Digest

    return f"{plain or 'model'}-{Digest.of(name.encode()).hex[:8]}"


def _mib(size: float) -> str:
    return f"{size / _MIB:,.0f} MiB"
