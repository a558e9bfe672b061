"""A request to the process that keeps a deployment up: go over to another line of the log, without losing a request.

``switch.json`` in the deployment's folder holds it for as long as nobody knows what came of it. What did is in the state file, and where it
failed in the deployment log.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.files import atomic_write
from pipeline.deploy.plan import Order

_NAME = "switch.json"
_GIB = 1 << 30


@dataclass(frozen=True)
class Switch:
    """``entry`` is the digest of the log's line to go over to, ``engine`` the llama-server that the user named, "" for the packaged one.
    ``beside``: start the new engine while the old one answers; otherwise requests wait while one is stopped and the other started.
    """

    entry: str
    engine: str = ""
    beside: bool = True


def write_switch(folder: Path, switch: Switch) -> None:
    """Ask for it; what was asked for before is forgotten."""
    atomic_write(folder / _NAME, json.dumps(asdict(switch)))


def read_switch(folder: Path) -> Switch | None:
    """Return what is asked for; None where nothing is, or it can't be read."""
    try:
        content = json.loads((folder / _NAME).read_bytes())
        switch = Switch(**content)
    except (OSError, ValueError, TypeError):
        return None
    texts = isinstance(switch.entry, str) and isinstance(switch.engine, str)
    return switch if texts and isinstance(switch.beside, bool) else None


def pending(folder: Path) -> bool:
    """Tell whether something is asked for, and nobody knows what came of it."""
    return (folder / _NAME).exists()


def clear_switch(folder: Path) -> None:
    """Nothing is asked for any more."""
    (folder / _NAME).unlink(missing_ok=True)


def too_much(new: Order, old: Order, gpu_memory: int | None) -> str:
    """Return why two models don't fit into this machine at the same time, with the arithmetic; "" when they do, or nobody can know.
    ``gpu_memory`` is that of all GPUs together, in bytes. Two that are computed on different hardware are in nobody's way.
    """
    if new.gpu is not old.gpu:
        return ""
    have = gpu_memory if new.gpu else new.host.memory
    if have is None or new.limit + old.limit <= have:
        return ""
    where = "the GPUs have" if new.gpu else "this machine has"
    return f"{new.limit / _GIB:.1f} GiB and {old.limit / _GIB:.1f} GiB at the same time, {where} {have / _GIB:.1f} GiB"
