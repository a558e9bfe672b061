from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.deploy.targets import quadlet
from tests.deploy import orders
from tests.deploy.targets import containers

# All keys of podman-systemd.unit(5) that we may write under [Container].
KNOWN = {
    *(
        "Image",
        "ContainerName",
        "Label",
        "Entrypoint",
        "Exec",
        "Environment",
        "Volume",
        "Secret",
        "PublishPort",
        "User",
    ),
    *("Group", "ReadOnly", "NoNewPrivileges", "DropCapability", "AddDevice", "HealthCmd", "HealthInterval"),
    *("HealthStartPeriod", "HealthRetries", "HealthOnFailure", "PodmanArgs"),
}
GENERATOR = Path("/usr/libexec/podman/quadlet")


def sections(text: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            here = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals and key.isalnum(), line
            here.append((key, value))
    return found


def test_the_plan_is_the_golden_one() -> None:
    orders.is_golden(quadlet.render(orders.order()))


def test_an_image_wants_a_digest() -> None:
    containers.wants_a_digest(quadlet)


def test_the_start_hashes_first(tmp_path: Path) -> None:
    containers.starts_only_what_was_locked(tmp_path)


def test_the_unit_is_closed() -> None:
    parts = sections(quadlet.render(orders.order()).files["assay-tiny-chat.container"])
    assert set(parts) == {"Unit", "Container", "Service", "Install"}
    container = parts["Container"]
    assert {key for key, _ in container} <= KNOWN
    said = dict(container)
    assert said["Image"] == orders.IMAGE
    assert (said["ReadOnly"], said["NoNewPrivileges"], said["DropCapability"]) == ("true", "true", "all")
    assert said["User"] == "65534" and said["PublishPort"] == "127.0.0.1:8080:8080"
    volumes = [value for key, value in container if key == "Volume"]
    assert len(volumes) == 2 and all(volume.endswith(":ro") for volume in volumes)
    assert f"--memory={orders.order().limit} " in said["PodmanArgs"]
    assert dict(parts["Service"])["ExecStartPre"].startswith("/usr/bin/sha256sum --check --strict")


def test_a_split_set_keeps_the_names_that_llama_cpp_looks_for() -> None:
    text = quadlet.render(orders.order(orders.split(3))).files["assay-tiny-chat.container"]
    assert text.count("/model/weights-00001-of-00003.gguf:ro") == 1
    assert "--model /model/weights-00001-of-00003.gguf " in text


def test_a_gpu_is_handed_in_where_the_spec_uses_one() -> None:
    gpu = quadlet.render(orders.order(orders.lock(engine={"gpu_layers": 99}))).files["assay-tiny-chat.container"]
    assert "AddDevice=nvidia.com/gpu=all\n" in gpu
    assert "AddDevice" not in quadlet.render(orders.order()).files["assay-tiny-chat.container"]


@pytest.mark.skipif(not GENERATOR.exists(), reason="no quadlet generator: it comes with podman 4.4 and later")
def test_podman_takes_it(tmp_path: Path) -> None:
    for name, text in quadlet.render(orders.order()).files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [GENERATOR, "--dryrun"], env={"QUADLET_UNIT_DIRS": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and orders.IMAGE in done.stdout, done.stderr
    assert shutil.which("podman")
