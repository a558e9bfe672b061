"""How a model stands in a registry: as a CNCF ModelPack, or as Docker's model runner has it. Pure, and free of clocks."""

from __future__ import annotations

from typing import Any

from pipeline.airgap.layout import MANIFEST_TYPE, Blob, Layer, Packed, descriptor
from pipeline.airgap.media import DOCKER_CONFIG, FILEPATH, MODELPACK_ARTIFACT, MODELPACK_CONFIG, Format, media_type
from pipeline.core.canonical import canonical_bytes
from pipeline.lock.model import Lockfile

_OWN = ("spec", "suite", "results")


def wire_layers(model: Packed) -> list[Layer]:
    """Return the layers that are the model itself: without its spec, its suites and results."""
    return [layer for layer in model.layers if layer.role not in _OWN]


def wire_manifest(model: Packed, format: Format = "modelpack") -> tuple[Blob, Blob]:
    """Return a model's manifest and its config."""
    layers = wire_layers(model)
    digests = [str(layer.blob.digest) for layer in layers]
    size = sum(layer.blob.size for layer in layers)
    if format == "docker":
        config = Blob.of(canonical_bytes(_docker(model.lock, digests, size)))
        kind: dict[str, Any] = {"config": descriptor(DOCKER_CONFIG, config)}
    else:
        config = Blob.of(canonical_bytes(_modelpack(model.lock, digests)))
        kind = {"artifactType": MODELPACK_ARTIFACT, "config": descriptor(MODELPACK_CONFIG, config)}
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        **kind,
        "layers": [
            descriptor(media_type(layer.role, format), layer.blob, {FILEPATH: file_name(layer, model.lock)})
            for layer in layers
        ],
        "annotations": {"vnd.assay.lock.digest": str(model.lock.digest)},
    }
    return Blob.of(canonical_bytes(content)), config


def file_name(layer: Layer, lock: Lockfile) -> str:
    """Return a file's name as readers of such artifacts know it again by its ending."""
    name, low = layer.title.rpartition("/")[2], layer.title.lower()
    match layer.role:
        case "weights" if not low.endswith(".gguf"):
            return f"{lock.name}.gguf"
        case "mmproj" if not low.endswith(".gguf") or "mmproj" not in low:
            return f"mmproj-{lock.name}.gguf"
        case "chat_template" if not low.endswith(".jinja"):
            return "chat_template.jinja"
        case "license" if not name.lower().startswith("license"):
            return "LICENSE"
    return name


def _modelpack(lock: Lockfile, digests: list[str]) -> dict[str, Any]:
    license, facts = lock.license.id, lock.gguf
    return {
        "descriptor": {
            "name": lock.name,
            "sourceURL": lock.source.resolved,
            **({"licenses": [license]} if license else {}),
        },
        "config": {
            "format": "gguf",
            **{
                ours: str(facts[theirs])
                for ours, theirs in (("architecture", "architecture"), ("quantization", "quantization"))
                if facts.get(theirs)
            },
        },
        "modelfs": {"type": "layers", "diffIds": digests},
    }


def _docker(lock: Lockfile, digests: list[str], size: int) -> dict[str, Any]:
    facts = lock.gguf
    said = {
        ours: facts.get(theirs)
        for ours, theirs in (
            ("architecture", "architecture"),
            ("quantization", "quantization"),
            ("context_size", "context_length"),
        )
        if facts.get(theirs)
    }
    return {
        "descriptor": {},
        "config": {"format": "gguf", "size": str(size), **said},
        "rootfs": {"type": "rootfs", "diff_ids": digests},
    }
