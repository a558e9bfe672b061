from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.attest.bundle import bundle, open_bundle
from pipeline.attest.dsse import written
from pipeline.core.digest import Digest
from pipeline.core.errors import NotSigned
from pipeline.lock.model import LockedFile, Lockfile
from tests.attest.signing import make_key, private
from tests.factories import lock

CONTENTS = {
    "tiny-00001-of-00002.gguf": b"first",
    "tiny-00002-of-00002.gguf": b"second",
    "templates/tiny.jinja": b"{{ x }}",
}
ROLES = ("weights", "shard", "chat_template")


def model_in(folder: Path) -> Lockfile:
    """Write a model of three files, one of them in a folder of its own, and return its lock."""
    files = []
    for role, (path, content) in zip(ROLES, CONTENTS.items(), strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        raw: dict[str, Any] = {"role": role, "path": path, "size": len(content), "sha256": str(Digest.of(content))}
        files.append(LockedFile.model_validate({**raw, "urls": ["file:x"], "known": "computed"}))
    return lock().model_copy(update={"files": tuple(files)})


def reference_says(folder: Path, signature: Path, public: Path) -> str:
    """Return what the reference verifier of OpenSSF Model Signing has against a folder; empty where it takes it."""
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder), "--signature", str(signature)]
    done = subprocess.run([*command, "--public_key", str(public)], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_reference_verifier_takes_it_and_no_other_file(tmp_path: Path) -> None:
    model, signature = model_in(tmp_path / "model"), tmp_path / "model.sig"
    signature.write_text(written(bundle(model, private(tmp_path))))
    assert reference_says(tmp_path / "model", signature, tmp_path / "key.pub") == ""
    make_key(tmp_path, "p256", "other")
    assert reference_says(tmp_path / "model", signature, tmp_path / "other.pub")
    (tmp_path / "model" / "tiny-00002-of-00002.gguf").write_bytes(b"Second")
    assert "tiny-00002-of-00002.gguf" in reference_says(tmp_path / "model", signature, tmp_path / "key.pub")


def test_it_takes_what_the_reference_signs(tmp_path: Path) -> None:
    model, signature, key = model_in(tmp_path / "model"), tmp_path / "theirs.sig", private(tmp_path)
    command = [
        sys.executable,
        "-m",
        "model_signing",
        "sign",
        "key",
        str(tmp_path / "model"),
        "--signature",
        str(signature),
    ]
    subprocess.run([*command, "--private_key", str(tmp_path / "key.pem")], check=True, capture_output=True)
    theirs = open_bundle(signature.read_bytes(), [key.public], "theirs").statement
    ours = open_bundle(written(bundle(model, key)).encode(), [key.public], "ours").statement
    assert theirs["predicate"]["resources"] == ours["predicate"]["resources"]
    assert theirs["subject"][0]["digest"] == ours["subject"][0]["digest"]
    assert json.loads(signature.read_text())["mediaType"] == bundle(model, key)["mediaType"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"dsseEnvelope": {}}', b'{"dsseEnvelope": []}'])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotSigned):
        open_bundle(content, [private(tmp_path).public], "the file")
