from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.deploy.targets import _container, kube
from tests.deploy import orders
from tests.deploy.targets import containers


def written(**changes: Any) -> dict[str, Any]:
    text = kube.render(orders.order(**changes)).files["tiny-chat.yaml"]
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_the_plan_is_the_golden_one() -> None:
    orders.is_golden(kube.render(orders.order()))


def test_an_image_wants_a_digest() -> None:
    containers.wants_a_digest(kube)


def test_the_start_hashes_first(tmp_path: Path) -> None:
    containers.starts_only_what_was_locked(tmp_path)


@pytest.mark.parametrize("version", ["1.30", "1.36"])
@pytest.mark.parametrize("of", [orders.lock(), orders.lock(engine={"gpu_layers": 99}), orders.split(3)])
def test_it_is_valid_by_kubernetes_own_schemas(of: Any, version: str) -> None:
    judge = pytest.importorskip("kubernetes_validate", reason="the schemas come with kubernetes-validate")
    documents = written(of=of)
    assert set(documents) == {"Deployment", "Service", "NetworkPolicy"}
    for document in documents.values():
        judge.validate(document, version, strict=True)
    documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRoot"] = True
    with pytest.raises(judge.ValidationError):
        judge.validate(documents["Deployment"], version, strict=True)


def test_the_pod_is_closed() -> None:
    pod = written()["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["image"] == orders.IMAGE
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all(mount["readOnly"] for mount in container["volumeMounts"])
        assert container["resources"]["limits"]["memory"]
    (engine,) = pod["containers"]
    assert engine["resources"]["limits"]["memory"] == str(orders.order().limit)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert engine[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_only_named_clients_come_in_and_nothing_goes_out() -> None:
    policy = written()["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == []
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"assay-tiny-chat-client": "true"}}}]
    pods = written()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pods.items()


def test_kubernetes_puts_nothing_into_the_command_line() -> None:
    (engine,) = written()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert all("$(" not in part.replace("$$(", "") for part in (*engine["args"], *engine["command"]))
    assert (_container.SERVER, *(part.replace("$$(", "$(") for part in engine["args"])) == kube.render(
        orders.order()
    ).argv


def test_files_come_from_the_claim_by_digest_under_names_that_llama_cpp_looks_for() -> None:
    of = orders.split(3)
    (engine,) = written(of=of)["Deployment"]["spec"]["template"]["spec"]["containers"]
    store = [mount for mount in engine["volumeMounts"] if mount["name"] == "store"]
    assert [mount["subPath"] for mount in store] == [
        f"blobs/sha256/{file.digest.hex[:2]}/{file.digest.hex}" for file in of.shards
    ]
    assert store[2]["mountPath"] == "/model/weights-00003-of-00003.gguf"
