"""On this machine, now: a process of Assay's own verifies, starts, proves and watches the engine, and starts it again after a crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.deploy.plan import Order, Plan, host_argv

STARTS = True
IMAGE = False


def render(order: Order) -> Plan:
    """Return the plan; nothing is written but below ``.assay``."""
    lock = order.lock
    at = f"port {order.port}" if order.port else "a free port"
    steps = (
        f"hash {len(lock.files)} files, {sum(file.size for file in lock.files):,} bytes",
        "start llama-server on a private socket, with a key of its own",
        "prove: /props against the lock",
        f"open the front door on {order.address}, {at}",
        "watch: files, process; verify and start again after a crash",
    )
    argv = host_argv(replace(order, socket=Path("llama.sock")), key_file="key")  # both in a private folder
    return Plan(lock.name, "local", argv, order.host.environment, steps=steps)
