"""Pushing to the real registry of Debian, and locking and fetching from it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.airgap.layout import Packed
from pipeline.airgap.push import push
from pipeline.core import http
from pipeline.core.errors import DigestMismatch, NetworkError, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.store.layout import Store
from tests.airgap.bundles import packed
from tests.hubs.registry import PASSWORD, USER, registry, tokens
from tests.hubs.registry import packed as as_basic
from tests.origin import origin
from tests.projects import flip

Model = tuple[Project, Packed]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An open registry."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running.host


def docker_login(folder: Path, host: str) -> Path:
    """Write what ``docker login`` writes; returns the folder for ``$DOCKER_CONFIG``."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": as_basic(USER, PASSWORD)}}}))
    return folder


def relocked(project: Project, reference: str) -> Project:
    """Lock and fetch the model from a registry, in a project without its file."""
    spec = project.specs / "small.yaml"
    spec.write_text(spec.read_text().replace("file:../models/small.gguf", reference))
    for gone in (project.root / "models", project.state, project.lockfiles):
        shutil.rmtree(gone)
    session = Session(project)
    fetch_all(session, [make_lock(session, "small").lock])
    return project


@pytest.mark.parametrize("format", ["modelpack", "docker"])
def test_what_is_pushed_can_be_locked_and_fetched(host: str, project: Project, format: Any) -> None:
    model = packed(project)
    where = f"oci://{host}/models/{format}"
    (pushed,) = push([model], where, format)
    assert (pushed.tagged, pushed.blobs) == (f"{where}:small", 2)
    relocked(project, f"{where}:small")
    lock = Session(project).current("small")
    assert [(file.path, file.digest) for file in lock.files] == [("small.gguf", model.lock.weights.digest)]
    assert lock.source.resolved == pushed.pinned
    assert Store(project.store).has(lock.weights.digest)
    (again,) = push([packed(project)], where, format)
    assert (
        again.size < 2000
    )  # a ModelPack says where the model is from, which is another place now; the weights are there


def test_the_same_again_sends_nothing_and_is_the_same(host: str, project: Project) -> None:
    model = packed(project)
    (first,) = push([model], f"oci://{host}/again")
    (second,) = push([model], f"oci://{host}/again")
    assert (first.pinned, second.blobs, second.size) == (second.pinned, 0, 0)


def test_the_artifact_is_what_its_specification_says(host: str, project: Project) -> None:
    model = packed(project)
    (pushed,) = push([model], f"oci://{host}/artifact")
    manifest, said = http.get_json(
        f"http://{host}/v2/artifact/manifests/small", {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    )
    assert said["docker-content-digest"] == pushed.pinned.partition("@")[2]
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.cncf.model.weight.v1.raw"
    assert layer["annotations"] == {"org.cncf.model.filepath": "small.gguf"}
    assert layer["digest"] == model.lock.weights.sha256
    config, _ = http.get_json(f"http://{host}/v2/artifact/blobs/{manifest['config']['digest']}")
    assert config["config"] == {"architecture": "llama", "format": "gguf", "quantization": "Q8_0"}
    assert config["modelfs"] == {"type": "layers", "diffIds": [model.lock.weights.sha256]}
    assert config["descriptor"]["licenses"] == ["apache-2.0"]


def test_another_client_reads_it(host: str, project: Project, tmp_path: Path) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed: no other client has read what is pushed. Debian: apt install skopeo")
    model = packed(project)
    push([model], f"oci://{host}/other")
    source, target = f"docker://{host}/other:small", f"dir:{tmp_path / 'copy'}"
    command = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", source, target]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "copy" / model.lock.weights.digest.hex).stat().st_size == model.lock.weights.size


@pytest.mark.parametrize("how", ["flipped", "missing"])
def test_nothing_unverified_is_pushed(host: str, project: Project, how: str) -> None:
    model = packed(project)
    blob = Store(project.store).path(model.lock.weights.digest)
    flip(blob) if how == "flipped" else blob.unlink()
    with pytest.raises(DigestMismatch, match=model.lock.weights.digest.hex):
        push([model], f"oci://{host}/{how}")
    with pytest.raises(http.Refused) as caught:
        http.get_bytes(f"http://{host}/v2/{how}/manifests/small")
    assert caught.value.status == 404


@pytest.mark.parametrize("how", ["password", "token"])
def test_a_login_is_that_of_docker(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    model = packed(project)
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "registry"
    folder.mkdir()
    with ExitStack() as stack:
        service = stack.enter_context(tokens(tmp_path)) if how == "token" else None
        host = stack.enter_context(registry(folder, basic=not service, tokens=service)).host
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nothing"))
        with pytest.raises(NetworkError, match="refuses to be written to") as caught:
            push([model], f"oci://{host}/private")
        assert f"docker login {host}" in caught.value.hint
        monkeypatch.setenv("DOCKER_CONFIG", str(docker_login(tmp_path / "docker", host)))
        (pushed,) = push([model], f"oci://{host}/private")
        assert pushed.blobs == 2
        if service:
            assert {scope for _, scope, _ in service.asked} == {"repository:private:pull,push"}
        relocked(project, f"oci://{host}/private:small")


def test_what_is_no_repository_is_said(project: Project) -> None:
    model = packed(project)
    for where in ("oci://localhost:1/models:tag", f"oci://localhost:1/models@sha256:{'0' * 64}"):
        with pytest.raises(UsageError, match="names a tag or a digest"):
            push([model], where)
    for where in ("oci://localhost:1", "oci://localhost:1/UPPER", "oci:x"):
        with pytest.raises(UsageError):
            push([model], where)
    with pytest.raises(NetworkError, match="localhost:1"):
        push([model], "oci://localhost:1/models")


def test_a_server_that_is_no_registry_is_said(project: Project) -> None:
    model = packed(project)
    with origin() as server, pytest.raises(NetworkError, match=r"50[01]|404"):
        push([model], f"oci://127.0.0.1:{server.server_port}/models")
