"""What targets in containers share: the image by digest, and a start that hashes first, each time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.errors import UsageError
from pipeline.deploy.plan import Order, in_container, used
from pipeline.runtime.params import Listen, server_argv

PORT = 8080
SERVER = "/app/llama-server"
KEY = "/run/secrets/assay-key"
USER = 65534
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}")
# Every start, also that after a crash: the bytes first, then the engine's own word for its commit, then the engine.
START = (
    'printf "%s" "$ASSAY_SHA256SUMS" | sha256sum --check --strict --quiet - || exit 5; '
    '"$0" --version 2>&1 | grep -qF "$ASSAY_LLAMA_CPP" || '
    '{ echo "the image is not of llama.cpp $ASSAY_LLAMA_CPP, which the lock pins" >&2; exit 6; }; '
)
RUN = START + 'exec "$0" "$@"'


def image_of(order: Order) -> str:
    """Return the image. Raises UsageError for one that isn't named by digest."""
    if not order.image:
        hint = f"name one that holds llama.cpp {order.lock.engine.llama_cpp_commit} as {SERVER}: --image NAME@sha256:…"
        raise UsageError("a container wants an image", hint=hint)
    if not _IMAGE.fullmatch(order.image):
        hint = "a tag can be moved to other bytes; see the digest: docker buildx imagetools inspect NAME:TAG"
        raise UsageError(f"{order.image!r} is no image by digest (NAME@sha256:…)", hint=hint)
    return order.image


def container_argv(order: Order, key_file: str = KEY) -> tuple[str, ...]:
    """Return the engine's arguments in a container; its ports lie in a network of its own."""
    lock = order.lock
    at = {file.sha256: Path(in_container(file, lock)) for file in used(lock)}
    return server_argv(
        lock,
        weights=at[lock.weights.sha256],
        template=at[lock.template.sha256] if lock.template else None,
        mmproj=at[lock.mmproj.sha256] if lock.mmproj else None,
        listen=Listen("0.0.0.0", PORT),
        key_file=Path(key_file),
        threads=order.threads,
    )


def container_environment(order: Order) -> dict[str, str]:
    """Return the whole environment: what to hash, which llama.cpp it must be, and nothing that leads to a configuration."""
    lock = order.lock
    return {
        "ASSAY_LLAMA_CPP": lock.engine.llama_cpp_commit,
        "ASSAY_SHA256SUMS": "".join(f"{file.digest.hex}  {in_container(file, lock)}\n" for file in used(lock)),
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
    }


def mounts(order: Order) -> list[tuple[Path, str]]:
    """Return (file on this machine, place in the container) for each file that the engine is given."""
    return [(order.paths[file.sha256], str(in_container(file, order.lock))) for file in used(order.lock)]


def yaml_text(*documents: dict[str, Any], head: str = "") -> str:
    """Return documents as YAML that people can read and diff."""
    texts = [yaml.dump(one, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20) for one in documents]
    return head + "---\n".join(texts)


class _Dumper(yaml.SafeDumper):
    """Writes every value out where it stands, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
