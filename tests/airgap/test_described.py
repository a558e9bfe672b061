"""Bundles that are whole, whose digests all fit, and that say what is not so."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.airgap.described import is_safe
from pipeline.core.project import Project
from tests.airgap.bundles import bundled, forged, members, script_of, write_tar
from tests.airgap.test_carried import refused

Json = dict[str, Any]


def annotate(number: int, key: str, value: Any) -> Callable[[Json, Json], None]:
    return lambda manifest, lock: manifest["layers"][number]["annotations"].update({key: value})


TITLE, ROLE = "org.opencontainers.image.title", "vnd.assay.role"
FORGED: dict[str, tuple[Callable[[Json, Json], Any], str]] = {
    "a file less": (lambda m, lock: m["layers"].pop(0), "small.gguf is not there, and the lock names it"),
    "a suite's file less": (lambda m, lock: m["layers"].pop(2), "other suites than the lock names: few"),
    "no spec": (lambda m, lock: m["layers"].pop(1), "no spec"),
    "two specs": (lambda m, lock: m["layers"].append(m["layers"][1]), "one path twice"),
    "a file more": (lambda m, lock: m["layers"].append(m["layers"][0]), "small.gguf has no place in a bundle"),
    "another role": (annotate(2, ROLE, "boot"), "has no place in a bundle"),
    "a role that is no text": (annotate(2, ROLE, ["x"]), "malformed"),
    "a path upwards": (annotate(2, TITLE, "evals/few/../../../x"), "no place in a bundle"),
    "an absolute path": (annotate(2, TITLE, "/evals/few/items.jsonl"), "no place in a bundle"),
    "a hidden file": (annotate(2, TITLE, "evals/few/.git/config"), "no place in a bundle"),
    "a backslash": (annotate(2, TITLE, "evals/few\\items.jsonl"), "no place in a bundle"),
    "a drive": (annotate(2, TITLE, "evals/few/C:x"), "no place in a bundle"),
    "a NUL": (annotate(2, TITLE, "evals/few/items\0.jsonl"), "no place in a bundle"),
    "another suite's path": (annotate(2, TITLE, "evals/many/items.jsonl"), "other suites than the lock names"),
    "another spec": (annotate(1, TITLE, "specs/other.yaml"), "specs/other.yaml has no place"),
    "an attestation of another": (
        lambda m, lock: m["layers"][2]["annotations"].update(
            {ROLE: "attestation", TITLE: "attestations/other/gate.dsse.json"}
        ),
        "no place in a bundle",
    ),
    "an attestation upwards": (
        lambda m, lock: m["layers"][2]["annotations"].update(
            {ROLE: "attestation", TITLE: "attestations/small/../x.sig"}
        ),
        "no place in a bundle",
    ),
    "another size": (lambda m, lock: m["layers"][0].update(size=7), "bytes, want 7"),
    "a size that is true": (lambda m, lock: m["layers"][0].update(size=True), "not a digest and a size"),
    "a path as digest": (lambda m, lock: m["layers"][0].update(digest="sha256:../../x"), "not a digest and a size"),
    "a digest of nothing": (lambda m, lock: m["layers"][0].update(digest="sha256:" + "0" * 64), "missing: blobs/"),
    "layers as text": (lambda m, lock: m.update(layers="x"), "malformed"),
    "no annotations": (lambda m, lock: m["layers"][0].pop("annotations"), "malformed"),
    "another artifact": (lambda m, lock: m.update(artifactType="x"), "no model of this kind"),
    "another name in the lock": (lambda m, lock: lock.update(name="other"), "the lock of small is not as it was made"),
    "a digit of the lock": (lambda m, lock: lock["files"][0].update(sha256="sha256:" + "0" * 64), "is not there"),
    "a lock without files": (lambda m, lock: lock.pop("files"), "malformed"),
    "a suite of another digest": (
        lambda m, lock: lock["suites"]["few"].update(digest="sha256:" + "0" * 64),
        "other suites than the lock names: few",
    ),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_not_so_is_refused(project: Project, tmp_path: Path, how: str) -> None:
    bundled(project, tmp_path / "small.tar")
    change, said = FORGED[how]
    bad = forged(tmp_path / "small.tar", tmp_path / "bad.tar", change)
    assert said in refused(bad, script_of(tmp_path / "small.tar", tmp_path), tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "how", ["no model", "one twice", "no name", "no list", "another layout", "no JSON", "a deep hole"]
)
def test_an_index_that_names_nothing_is_refused(project: Project, tmp_path: Path, how: str) -> None:
    bundled(project, tmp_path / "small.tar")
    parts = {info.name: content for info, content in members(tmp_path / "small.tar")}
    index = json.loads(parts["index.json"])
    (entry,) = index["manifests"]
    said = "malformed"
    match how:
        case "no model" | "one twice":
            index["manifests"] = [entry, entry] if how == "one twice" else []
            said = "index.json names no model, or one of them twice"
        case "no name":
            entry["annotations"] = {}
        case "no list":
            index["manifests"] = 7
    parts["index.json"] = json.dumps(index).encode()
    if how == "another layout":
        parts["oci-layout"], said = b'{"imageLayoutVersion": "2.0.0"}', "another version"
    if how in ("no JSON", "a deep hole"):
        parts["index.json"] = b"[" * 100_000 if how == "a deep hole" else b"\xff"
    bad = write_tar(tmp_path / "bad.tar", [(tarfile.TarInfo(name), content) for name, content in parts.items()])
    assert said in refused(bad, script_of(tmp_path / "small.tar", tmp_path), tmp_path / "elsewhere")


@pytest.mark.parametrize("path", ["a", "a/b.c", "few/items 1.jsonl", "é/ü.txt", "a-b_c/d+e@f"])
def test_paths_that_lead_below(path: str) -> None:
    assert is_safe(path)


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "C:a", "a\0", "a\n", "a /b", "a.", "__x/a", "\u202ea"]
)
def test_paths_that_do_not(path: str) -> None:
    assert not is_safe(path)
