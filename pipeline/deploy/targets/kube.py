"""Kubernetes manifests: an image by digest, bytes hashed before each start, probes, limits, no rights and no way out of the pod."""

from __future__ import annotations

from typing import Any

from pipeline.deploy.plan import Order, Plan, about, in_container, label, used
from pipeline.deploy.targets._container import (
    PORT,
    RUN,
    SERVER,
    START,
    USER,
    container_argv,
    container_environment,
    image_of,
    yaml_text,
)

STARTS = False
IMAGE = True
CLAIM = "assay-store"
_KEY = "/run/secrets/assay/key"
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


def render(order: Order) -> Plan:
    """Return ``NAME.yaml``: Deployment, Service and NetworkPolicy. Raises UsageError for an image without a digest.

    The store is a claim of the cluster's, ``assay-store``, that holds the folder ``blobs/`` as it is here.
    """
    name = label(order.lock.name)
    app = f"assay-{name}"
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/managed-by": "assay"}
    chosen = {"app.kubernetes.io/name": app}
    facts = {f"assay/{key}": value for key, value in about(order).items()}
    documents = (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": app, "labels": labels, "annotations": facts},
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 5,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "selector": {"matchLabels": chosen},
                "template": {"metadata": {"labels": labels, "annotations": facts}, "spec": _pod(order, app)},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": app, "labels": labels},
            "spec": {
                "type": "ClusterIP",
                "selector": chosen,
                "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": app, "labels": labels},
            "spec": {
                "podSelector": {"matchLabels": chosen},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {
                        "from": [{"podSelector": {"matchLabels": {f"{app}-client": "true"}}}],
                        "ports": [{"port": PORT, "protocol": "TCP"}],
                    }
                ],
                "egress": [],
            },
        },
    )
    head = f"# What was tested, by digest. Written by assay deploy {order.lock.name} --target kube.\n"
    steps = (
        f"# the claim {CLAIM} holds the store's folder blobs/: fill it once, for instance with kubectl cp",
        f"(umask 077; openssl rand -hex 24 > key) && kubectl create secret generic {app}-key --from-file=key",
        f"kubectl apply -f {name}.yaml && kubectl rollout status deployment/{app}",
        f'# pods with the label {app}-client: "true" may ask it at http://{app}:{PORT}/v1',
    )
    files = {f"{name}.yaml": yaml_text(*documents, head=head)}
    return Plan(
        order.lock.name, "kube", (SERVER, *container_argv(order, _KEY)), container_environment(order), files, steps
    )


def _pod(order: Order, app: str) -> dict[str, Any]:
    image = image_of(order)
    env = [{"name": key, "value": _plain(value)} for key, value in container_environment(order).items()]
    model = [
        {
            "name": "store",
            "mountPath": str(in_container(file, order.lock)),
            "subPath": f"blobs/sha256/{file.digest.hex[:2]}/{file.digest.hex}",
            "readOnly": True,
        }
        for file in used(order.lock)
    ]
    small = {"cpu": "1", "memory": "256Mi"}
    amount: dict[str, Any] = {"cpu": str(order.threads), "memory": str(order.limit)}
    if order.gpu:
        amount["nvidia.com/gpu"] = "1"
    health = {"httpGet": {"path": "/health", "port": "http"}, "timeoutSeconds": 5}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": _POD,
        "initContainers": [
            {
                "name": "verify",
                "image": image,
                "command": ["/bin/sh", "-c", START, SERVER],
                "env": env,
                "resources": {"requests": small, "limits": small},
                "securityContext": _CONTAINER,
                "volumeMounts": model,
            }
        ],
        "containers": [
            {
                "name": "llama-server",
                "image": image,
                "command": ["/bin/sh", "-c", RUN, SERVER],
                "args": [_plain(part) for part in container_argv(order, _KEY)],
                "env": env,
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "startupProbe": {**health, "periodSeconds": 5, "failureThreshold": 120},
                "readinessProbe": {**health, "periodSeconds": 5, "failureThreshold": 2},
                "livenessProbe": {**health, "periodSeconds": 20, "failureThreshold": 3},
                # Clients are sent elsewhere before the engine is told to end.
                "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", "5"]}}},
                "resources": {"requests": amount, "limits": amount},
                "securityContext": _CONTAINER,
                "volumeMounts": [*model, {"name": "key", "mountPath": "/run/secrets/assay", "readOnly": True}],
            }
        ],
        "volumes": [
            {"name": "store", "persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}},
            {"name": "key", "secret": {"secretName": f"{app}-key", "defaultMode": 0o440}},
        ],
    }


def _plain(text: str) -> str:
    """Return a text in which Kubernetes puts no variables in."""
    return text.replace("$(", "$$(")
