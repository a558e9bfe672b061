"""A Podman quadlet: a container by digest under systemd; every byte is hashed on the host and again in the container, at each start."""

from __future__ import annotations

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
)
from pipeline.deploy.targets.systemd import quoted

STARTS = False
IMAGE = True


def render(order: Order) -> Plan:
    """Return a ``.container`` file and the sums that it checks on the host. Raises UsageError for an image without a digest."""
    unit = f"assay-{label(order.lock.name)}"
    image, argv, env = image_of(order), container_argv(order), container_environment(order)
    secret = f"{unit}-key"
    sums = "".join(f"{file.digest.hex}  {order.paths[file.sha256]}\n" for file in order.lock.files)
    options = {
        "Image": [image],
        "ContainerName": [unit],
        "Label": [quoted(f"assay.{key}={value}") for key, value in about(order).items()],
        "Entrypoint": ["/bin/sh"],
        "Exec": [" ".join(quoted(part) for part in ("-c", RUN, SERVER, *argv))],
        "Environment": [quoted(f"{key}={value}") for key, value in env.items()],
        "Volume": [quoted(f"{path}:{place}:ro") for path, place in mounts(order)],
        "Secret": [f"{secret},type=mount,target={KEY},uid={USER},mode=0400"],
        "PublishPort": [f"{order.address}:{order.port}:{PORT}"],
        "User": [str(USER)],
        "Group": [str(USER)],
        "ReadOnly": ["true"],
        "NoNewPrivileges": ["true"],
        "DropCapability": ["all"],
        **({"AddDevice": ["nvidia.com/gpu=all"]} if order.gpu else {}),
        "HealthCmd": [f"curl --fail --silent http://127.0.0.1:{PORT}/health"],
        "HealthInterval": ["10s"],
        "HealthStartPeriod": ["600s"],
        "HealthRetries": ["3"],
        "HealthOnFailure": ["kill"],
        "PodmanArgs": [f"--memory={order.limit} --memory-swap={order.limit} --pids-limit={4 * order.threads + 128}"],
    }
    text = (
        f"# What was tested, by digest. Written by assay deploy {order.lock.name} --target quadlet.\n"
        f"[Unit]\nDescription={order.lock.name}, served as it was tested\n"
        "StartLimitIntervalSec=300\nStartLimitBurst=5\n\n[Container]\n"
        + "".join(f"{key}={value}\n" for key, values in options.items() for value in values)
        + f"\n[Service]\nExecStartPre=/usr/bin/sha256sum --check --strict --quiet /etc/assay/{unit}.sha256\n"
        "Restart=on-failure\nRestartSec=2\nTimeoutStartSec=600\nTimeoutStopSec=30\n"
        "\n[Install]\nWantedBy=multi-user.target\n"
    )
    steps = (
        f"openssl rand -hex 24 | podman secret create {secret} -",
        f"install -D -m 0644 {unit}.sha256 /etc/assay/{unit}.sha256",
        f"install -D -m 0644 {unit}.container /etc/containers/systemd/{unit}.container",
        f"systemctl daemon-reload && systemctl start {unit}",
    )
    files = {f"{unit}.container": text, f"{unit}.sha256": sums}
    return Plan(order.lock.name, "quadlet", (SERVER, *argv), env, files, steps)
