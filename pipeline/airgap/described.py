"""What a bundle says of itself: its models, each with its lock and all that the lock names."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any, NamedTuple

from pipeline.airgap.carried import BLOBS, Damaged, Folder, Tar, shown

# What follows stands in the script verify.py too: Python 3.8, its standard library, and nothing else.
ROLE = "vnd.assay.role"
TITLE = "org.opencontainers.image.title"
REF = "org.opencontainers.image.ref.name"
MODEL_TYPE = "application/vnd.assay.model.v1"
LOCK_TYPE = "application/vnd.assay.lock.v1+json"
_MOST_JSON = 16 << 20
_ATTESTATION = re.compile(r"[a-z]{1,40}\.(dsse\.json|sig)")
_MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class File(NamedTuple):
    """One file of a model: its role, its name or path, its digest in hex, its size in bytes."""

    role: str
    title: str
    hex: str
    size: int


class Model(NamedTuple):
    """One model of a bundle. ``hex`` is the digest of its lock; ``lock`` is the lock's canonical JSON; ``metadata`` are its other blobs."""

    name: str
    hex: str
    lock: bytes
    files: list[File]
    metadata: list[str]


def canonical(value: Any) -> bytes:
    """Return the one way to write a JSON value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def read_models(bundle: Tar | Folder) -> list[Model]:
    """Return the models that a bundle holds, each lock with all that it names, by the digests of what describes them. The large files
    are not hashed here. Raises Damaged.
    """
    try:
        if json.loads(_small(bundle, "oci-layout"))["imageLayoutVersion"] != "1.0.0":
            raise Damaged("oci-layout: another version than 1.0.0")
        index = json.loads(_small(bundle, "index.json"))
        names = [descriptor["annotations"][REF] for descriptor in index["manifests"]]
        if not names or len(set(names)) < len(names):
            raise Damaged("index.json names no model, or one of them twice")
        return [_model(bundle, descriptor) for descriptor in index["manifests"]]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Damaged(f"what describes the bundle is malformed ({type(error).__name__}: {error})") from None


def _small(bundle: Tar | Folder, name: str) -> bytes:
    if name not in bundle.names:
        raise Damaged(f"missing: {name}")
    if bundle.names[name] > _MOST_JSON:
        raise Damaged(f"{name} is larger than {_MOST_JSON >> 20} MiB")
    return bundle.read(name)


def _described(bundle: Tar | Folder, descriptor: Any) -> tuple[str, int]:
    """Return hex and size of a blob that is there in this size."""
    digest, size = descriptor["digest"], descriptor["size"]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or type(size) is not int:
        raise Damaged(f"not a digest and a size: {shown(str(digest))}, {shown(str(size))}")
    name = BLOBS + digest[7:]
    if name not in bundle.names:
        raise Damaged(f"missing: {name}")
    if bundle.names[name] != size:
        raise Damaged(f"{name} has {bundle.names[name]} bytes, want {size}")
    return digest[7:], size


def _metadata(bundle: Tar | Folder, descriptor: Any) -> tuple[str, bytes]:
    hex, _ = _described(bundle, descriptor)
    content = _small(bundle, BLOBS + hex)
    if hashlib.sha256(content).hexdigest() != hex:
        raise Damaged(f"{BLOBS}{hex} is damaged")
    return hex, content


def _model(bundle: Tar | Folder, descriptor: Any) -> Model:
    name = descriptor["annotations"][REF]
    at, content = _metadata(bundle, descriptor)
    manifest = json.loads(content)
    if manifest["artifactType"] != MODEL_TYPE or manifest["config"]["mediaType"] != LOCK_TYPE:
        raise Damaged(f"{shown(name)} is no model of this kind: {shown(str(manifest['artifactType']))}")
    hex, text = _metadata(bundle, manifest["config"])
    lock = json.loads(text)
    if canonical(lock) != text or lock["name"] != name or not _MODEL_NAME.fullmatch(name):
        raise Damaged(f"the lock of {shown(name)} is not as it was made")
    files = [
        File(layer["annotations"][ROLE], layer["annotations"][TITLE], *_described(bundle, layer))
        for layer in manifest["layers"]
    ]
    _complete(name, lock, files)
    return Model(name, hex, text, files, [at, hex])


def _complete(name: str, lock: Any, files: list[File]) -> None:
    """Raise Damaged unless the files are those of the lock, its spec and its suites, and results and attestations at most."""
    left = Counter(files)
    for file in lock["files"]:
        one = File(file["role"], file["path"], file["sha256"][7:], file["size"])
        if not left[one]:
            raise Damaged(f"{name}: {shown(one.title)} is not there, and the lock names it")
        left[one] -= 1
    rest = list(left.elements())
    suites: dict[str, dict[str, str]] = {}
    for one in rest:
        if one.role == "suite" and is_safe(one.title) and one.title.startswith("evals/"):
            _, suite, path = one.title.split("/", 2)
            suites.setdefault(suite, {})[path] = "sha256:" + one.hex
        elif not _has_a_place(name, one):
            raise Damaged(f"{name}: {shown(one.title)} has no place in a bundle; refused")
    titles = [one.title.casefold() for one in rest]
    if len(set(titles)) < len(titles) or "spec" not in [one.role for one in rest]:
        raise Damaged(f"{name}: no spec, or one path twice")
    found = {suite: "sha256:" + hashlib.sha256(canonical(paths)).hexdigest() for suite, paths in suites.items()}
    wanted = {suite: entry["digest"] for suite, entry in lock["suites"].items()}
    if found != wanted:
        odd = sorted(suite for suite in {*found, *wanted} if found.get(suite) != wanted.get(suite))
        raise Damaged(f"{name}: other suites than the lock names: {shown(', '.join(odd))}")


def is_attestation(name: str) -> bool:
    """Tell whether a file of a model's attestations goes along, by its name."""
    return bool(_ATTESTATION.fullmatch(name))


def _has_a_place(name: str, file: File) -> bool:
    if file.role == "attestation":
        folder, _, inner = file.title.rpartition("/")
        return folder == f"attestations/{name}" and is_attestation(inner)
    return (file.role, file.title) in (("spec", f"specs/{name}.yaml"), ("results", "results.json"))


def is_safe(path: str) -> bool:
    """Tell whether a path leads below the folder that it counts from, on any system, and to no hidden file."""
    parts = path.split("/")
    plain = path.isprintable() and len(path) < 1000 and not re.search(r'[\\:*?"<>|]', path)
    return plain and all(part and part[0] not in ". " and part[-1] not in ". " and part[:2] != "__" for part in parts)
