"""A hardened systemd service: every byte is hashed before each start, the key comes as a credential, and nothing can be written."""

from __future__ import annotations

import shlex

from pipeline.deploy.plan import Order, Plan, about, host_argv, host_sums

STARTS = False
IMAGE = False

_HARDENING = """\
DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
ProtectSystem=strict
ProtectHome=tmpfs
ProtectProc=invisible
ProcSubset=all
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateTmp=yes
PrivateUsers=yes
"""
_NO_GPU = "PrivateDevices=yes\nDevicePolicy=closed\nMemoryDenyWriteExecute=yes\n"
# Drivers compile kernels while they run, and talk to their own devices.
_GPU = "DevicePolicy=closed\nDeviceAllow=char-nvidia rw\nDeviceAllow=char-nvidia-uvm rw\nDeviceAllow=char-drm rw\n"
_LOOPBACK = "IPAddressDeny=any\nIPAddressAllow=localhost\n"


def render(order: Order) -> Plan:
    """Return a unit, and the sums that it checks: of the model's files and of the engine's."""
    unit = f"assay-{order.lock.name}"
    sums, key = f"/etc/assay/{unit}.sha256", f"/etc/assay/{unit}.key"
    argv = host_argv(order, key_file="%d/key")
    # %d stands for the folder of credentials; everything else is meant as it is written.
    line = " ".join("%d/key" if part == "%d/key" else quoted(part) for part in argv)
    env = "".join(
        f"Environment={quoted(f'{key_}={value}', variables=False)}\n"
        for key_, value in sorted(order.host.environment.items())
    )
    text = (
        f"# What was tested, by digest. Written by assay deploy {order.lock.name} --target systemd.\n"
        + "".join(f"# {key_:10} {value}\n" for key_, value in about(order).items())
        + f"[Unit]\nDescription={quoted_text(order.lock.name)}, served as it was tested\n"
        + "StartLimitIntervalSec=300\nStartLimitBurst=5\n\n"
        + "[Service]\nType=exec\n"
        + f"ExecStartPre=/usr/bin/sha256sum --check --strict --quiet {sums}\n"
        + f"ExecStart={line}\n{env}LoadCredential=key:{key}\n"
        + "Restart=on-failure\nRestartSec=2\nTimeoutStartSec=600\n"
        # llama-server ends at the second SIGTERM when a stream is open; systemd sends one, and SIGKILL after this.
        + "TimeoutStopSec=30\nKillMode=mixed\n"
        + f"MemoryMax={order.limit}\nMemorySwapMax=0\nTasksMax={4 * order.threads + 128}\nLimitNOFILE=4096\n"
        + _HARDENING
        + (_GPU if order.gpu else _NO_GPU)
        + (_LOOPBACK if order.address in ("127.0.0.1", "::1") else "")
        + "".join(f"BindReadOnlyPaths={quoted(folder, variables=False)}\n" for folder in _folders(order))
        + "\n[Install]\nWantedBy=multi-user.target\n"
    )
    files = {f"{unit}.service": text, f"{unit}.sha256": host_sums(order)}
    steps = (
        f"install -d -m 0755 /etc/assay && (umask 077; openssl rand -hex 24 > {key})",
        f"install -m 0644 {unit}.sha256 /etc/assay/",
        f"install -m 0644 {unit}.service /etc/systemd/system/",
        f"systemctl daemon-reload && systemctl enable --now {unit}",
    )
    return Plan(order.lock.name, "systemd", argv, order.host.environment, files, steps)


def _folders(order: Order) -> list[str]:
    """Return the folders that the service must see although homes are hidden from it."""
    server = order.host.server
    files = {*order.paths.values(), order.weights, *order.host.engine}
    folders = {str(path.parent) for path in files} | {str(server.parent)}
    homes = ("/home/", "/root/", "/run/user/")
    return sorted(folder for folder in folders if f"{folder}/".startswith(homes))


def quoted(text: str, *, variables: bool = True) -> str:
    """Return a word for a unit file: no specifier, no variable, no escape of it is meant. ``variables`` tells whether the setting knows
    any, as command lines do.
    """
    plain = text.replace("%", "%%").replace("$", "$$" if variables else "$")
    if shlex.quote(text) == text:
        return plain
    escaped = (
        plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'


def quoted_text(text: str) -> str:
    """Return a text for a unit file's setting that is read to the end of the line."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace("\n", " ")
