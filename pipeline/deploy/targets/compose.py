"""A Compose file: a container by digest that hashes every byte at each start, with limits and without rights."""

from __future__ import annotations

from typing import Any

from pipeline.deploy.plan import Order, Plan, about, label
from pipeline.deploy.targets._container import (
    KEY,
    PORT,
    RUN,
    SERVER,
    USER,
    container_argv,
    container_environment,
    image_of,
    mounts,
    yaml_text,
)

STARTS = False
IMAGE = True


def render(order: Order) -> Plan:
    """Return ``compose.yaml``. Raises UsageError for an image without a digest."""
    name, image = label(order.lock.name), image_of(order)
    argv, env = container_argv(order), container_environment(order)
    limits: dict[str, Any] = {
        "limits": {"cpus": str(order.threads), "memory": str(order.limit), "pids": 4 * order.threads + 128}
    }
    if order.gpu:
        limits["reservations"] = {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}
    service = {
        "image": image,
        "entrypoint": [_plain(part) for part in ("/bin/sh", "-c", RUN, SERVER)],
        "command": [_plain(part) for part in argv],
        "environment": {key: _plain(value) for key, value in env.items()},
        "labels": {f"assay.{key}": value for key, value in about(order).items()},
        "ports": [{"target": PORT, "published": str(order.port), "host_ip": order.address, "protocol": "tcp"}],
        "volumes": [
            {
                "type": "bind",
                "source": _plain(str(path)),
                "target": place,
                "read_only": True,
                "bind": {"create_host_path": False},
            }
            for path, place in mounts(order)
        ],
        "secrets": [{"source": "assay-key", "target": KEY}],
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "healthcheck": {
            "test": ["CMD", "curl", "--fail", "--silent", f"http://127.0.0.1:{PORT}/health"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "600s",
        },
        "deploy": {"resources": limits},
        "restart": "on-failure:5",
        "stop_grace_period": "30s",
    }
    content = {
        "name": f"assay-{name}",
        "services": {name: service},
        "secrets": {"assay-key": {"file": "./key"}},
    }
    head = f"# What was tested, by digest. Written by assay deploy {order.lock.name} --target compose.\n"
    steps = (
        f"(umask 077; openssl rand -hex 24 > key) && chown {USER} key",
        "docker compose up --detach --wait",
    )
    return Plan(
        order.lock.name, "compose", (SERVER, *argv), env, {"compose.yaml": yaml_text(content, head=head)}, steps
    )


def _plain(text: str) -> str:
    """Return a text in which Compose puts nothing in."""
    return text.replace("$", "$$")
