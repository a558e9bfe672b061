"""On this machine, now: a process of Assay's own verifies, starts, proves and watches the engine, and starts it again after a crash."""

from __future__ import annotations

from pipeline.deploy.plan import Order, Plan, host_argv

STARTS = True
IMAGE = False


def render(order: Order) -> Plan:
    """Return the plan; nothing is written but below ``.assay``."""
    lock = order.lock
    key_file = str(order.key_file or order.host.root / ".assay" / "serve" / lock.name / "key")
    at = f"port {order.port}" if order.port else "a free port"
    steps = (
        f"hash {len(lock.files)} files, {sum(file.size for file in lock.files):,} bytes",
        f"start llama-server on {order.address}, {at}",
        "prove: /props against the lock",
        "watch: files, process; verify and start again after a crash",
    )
    return Plan(lock.name, "local", host_argv(order, key_file=key_file), order.host.environment, steps=steps)
