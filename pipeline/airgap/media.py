"""Media types of model files: CNCF ModelPack and Docker AI."""

from __future__ import annotations

from typing import Literal

Format = Literal["modelpack", "docker"]
FILEPATH = "org.cncf.model.filepath"
MODELPACK_ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
MODELPACK_CONFIG = "application/vnd.cncf.model.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.ai.model.config.v0.1+json"
_MODELPACK = {
    "license": "application/vnd.cncf.model.doc.v1.raw",
    **dict.fromkeys(
        ("chat_template", "template", "system", "params", "messages", "config"),
        "application/vnd.cncf.model.weight.config.v1.raw",
    ),
}
_DOCKER = {
    "license": "application/vnd.docker.ai.license",
    "mmproj": "application/vnd.docker.ai.mmproj",
    "lora": "application/vnd.docker.ai.gguf.v3.lora",
    "chat_template": "application/vnd.docker.ai.chat.template.jinja",
    **dict.fromkeys(("template", "system", "params", "messages", "config"), "application/vnd.docker.ai.model.file"),
}


def media_type(role: str, format: Format = "modelpack") -> str:
    """Return the media type of a file by its role: one that leaves the file as it is, so that the layer's digest is the file's."""
    if format == "docker":
        return _DOCKER.get(role, "application/vnd.docker.ai.gguf.v3")
    return _MODELPACK.get(role, "application/vnd.cncf.model.weight.v1.raw")
