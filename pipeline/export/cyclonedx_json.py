"""A CycloneDX 1.7 bill of materials: the model as a machine-learning-model, its files with their hashes, the engine it is pinned to."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

from pipeline import __version__
from pipeline.airgap.layout import Packed
from pipeline.export._purl import purl
from pipeline.export._spdx import spdx_id
from pipeline.lock.model import LockedFile, Lockfile

FOLDER = False
_IN_URLS = "%/:?#[]@!$&'()*+,;="  # what is one already stays as it is
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/serial-numbers/of/assay-locks")
_FACTS = (
    "quantization",
    "context_length",
    "parameters",
    "kv_digest",
    "tensor_digest",
    "template_digest",
    "tokenizer_model",
)


def render(model: Packed) -> str:
    """Return the document as text: the same lock, the same text."""
    return json.dumps(document(model.lock), indent=2, ensure_ascii=True) + "\n"


def document(lock: Lockfile) -> dict[str, Any]:
    """Return the document of a lock. Its serial number comes from the lock's digest, and it has no time."""
    reference, engine = str(lock.digest), f"llama.cpp@{lock.engine.llama_cpp_commit}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(SPACE, reference)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "assay", "version": __version__}]},
            "component": _model(lock, reference),
        },
        "components": [_engine(lock, engine)],
        "dependencies": [{"ref": reference, "dependsOn": [engine]}, {"ref": engine}],
    }


def _model(lock: Lockfile, reference: str) -> dict[str, Any]:
    facts = lock.gguf
    parameters = {
        "task": "text-generation",
        **({"architectureFamily": facts["architecture"]} if facts.get("architecture") else {}),
        **({"modelArchitecture": facts["name"]} if facts.get("name") else {}),
        "inputs": [{"format": "string"}, *([{"format": "image"}] if lock.mmproj else [])],
        "outputs": [{"format": "string"}],
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": lock.name,
        "version": lock.weights.sha256,
        "purl": purl(lock.source.resolved, lock.name, lock.weights).partition("#")[0],
        **_licenses(lock),
        "hashes": [{"alg": "SHA-256", "content": lock.weights.digest.hex}],
        "externalReferences": _references(lock.source.resolved, lock.weights, lock.weights.urls[1:]),
        "modelCard": {
            "modelParameters": parameters,
            "properties": properties({f"assay:gguf:{name}": facts.get(name) for name in _FACTS}),
        },
        "properties": properties(
            {
                "assay:lock-digest": reference,
                "assay:spec-digest": lock.spec_digest,
                "assay:source:original": lock.source.original,
                "assay:source:resolved": lock.source.resolved,
                "assay:license:declared-in": lock.license.declared_in,
            }
        ),
        "components": [_file(file, f"{reference}/{number}") for number, file in enumerate(lock.files, 1)],
    }


def _file(file: LockedFile, reference: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": reference,
        "name": file.path,
        **({"purl": purl(file.urls[0], file.path, file)} if file.urls[0].startswith("hf:") else {}),
        "hashes": [{"alg": "SHA-256", "content": file.digest.hex}],
        "externalReferences": _references(file.urls[0], file, file.urls[1:]),
        "properties": properties({"assay:role": file.role, "assay:size": file.size, "assay:digest-known": file.known}),
    }


def _engine(lock: Lockfile, reference: str) -> dict[str, Any]:
    engine = lock.engine
    return {
        "type": "application",
        "bom-ref": reference,
        "name": "llama.cpp",
        "version": engine.llama_cpp_commit,
        "purl": f"pkg:pypi/llama-cpp-python@{engine.llama_cpp_python}",
        "properties": properties({f"assay:build-flag:{n}": flag for n, flag in enumerate(engine.build_flags, 1)}),
    }


def _licenses(lock: Lockfile) -> dict[str, Any]:
    license = lock.license.id
    if not license:
        return {}
    known = spdx_id(license)
    return {"licenses": [{"license": {"id": known} if known else {"name": license}}]}


def _references(first: str, file: LockedFile, mirrors: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return where a file can be got; paths of one project are no such places."""
    hashes = [{"alg": "SHA-256", "content": file.digest.hex}]
    places = [place for place in (first, *mirrors) if not place.startswith("file:")]
    return [{"type": "distribution", "url": quote(place, safe=_IN_URLS), "hashes": hashes} for place in places]


def properties(values: dict[str, Any]) -> list[dict[str, str]]:
    """Return names and values as CycloneDX has them, without those that have no value."""
    return [{"name": name, "value": str(value)} for name, value in values.items() if value is not None]
