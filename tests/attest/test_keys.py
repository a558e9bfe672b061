from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.attest.keys import PASSWORD, read_all, read_private, read_public
from pipeline.core.errors import UsageError
from tests.attest.signing import make_key


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_openssl_takes_what_it_signs(tmp_path: Path, kind: str) -> None:
    key, content = read_private(make_key(tmp_path, kind)), tmp_path / "content"
    content.write_bytes(b"what is signed")
    (tmp_path / "signature").write_bytes(key.sign(b"what is signed"))
    digest = ["-rawin"] if kind == "ed25519" else ["-rawin", "-digest", "sha256"]
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pub",
        "-sigfile",
        "signature",
        "-in",
        "content",
    ]
    done = subprocess.run([*command, *digest], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_signature_holds_for_one_content_and_one_key(tmp_path: Path, kind: str) -> None:
    key, other = read_private(make_key(tmp_path, kind)), read_private(make_key(tmp_path, kind, "other"))
    (public,) = read_public(tmp_path / "key.pub")
    assert public.id == key.public.id != other.public.id
    signature = key.sign(b"content")
    assert public.verifies(signature, b"content")
    assert signature == key.sign(b"content")
    assert not public.verifies(signature, b"Content")
    assert not public.verifies(other.sign(b"content"), b"content")
    assert not public.verifies(b"", b"content")


def test_an_encrypted_key_takes_its_password_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_key(tmp_path, "p256", "key", "-aes256", "-pass", "pass:open sesame")
    monkeypatch.delenv(PASSWORD, raising=False)
    with pytest.raises(UsageError, match="is encrypted") as missing:
        read_private(path)
    assert PASSWORD in missing.value.hint
    monkeypatch.setenv(PASSWORD, "wrong word")
    with pytest.raises(UsageError, match="no such password") as wrong:
        read_private(path)
    assert "wrong word" not in wrong.value.message + wrong.value.hint
    monkeypatch.setenv(PASSWORD, "open sesame")
    assert read_private(path).public.id == read_public(tmp_path / "key.pub")[0].id


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = make_key(tmp_path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by others"):
        read_private(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "neither"),
        (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "neither"),
    ],
)
def test_other_keys_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    path = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", *options, "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    with pytest.raises(UsageError, match=said):
        read_private(path)


def test_what_is_no_key_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("hello")
    (tmp_path / "none.pem").chmod(0o600)
    (tmp_path / "large.pem").write_bytes(b"x" * (1 << 17))
    private = make_key(tmp_path)
    for read, name, said in (
        (read_private, "none.pem", "no private key"),
        (read_private, "large.pem", "too large"),
        (read_private, "missing.pem", "No such file"),
        (read_public, "none.pem", "no public key"),
        (read_public, private.name, "is a private key"),
    ):
        with pytest.raises(UsageError, match=said) as raised:
            read(tmp_path / name)
        assert name in raised.value.message
        assert raised.value.hint


def test_a_private_key_has_no_text_form(tmp_path: Path) -> None:
    path = make_key(tmp_path)
    key = read_private(path)
    secret = "".join(path.read_text().splitlines()[1:-1])
    assert secret[:20] not in f"{key!r} {key} {key!s}"
    assert "_key" not in repr(key)


def test_a_folder_is_a_ring_of_keys(tmp_path: Path) -> None:
    ring = tmp_path / "trusted"
    ring.mkdir()
    with pytest.raises(UsageError, match="holds no public key"):
        read_public(ring)
    for name in ("ada", "bob"):
        make_key(tmp_path, "ed25519", name)
        (tmp_path / f"{name}.pub").rename(ring / f"{name}.pub")
    (ring / "README").write_text("who they are")
    assert len(read_public(ring)) == 2
    assert len(read_all([ring, ring / "ada.pub"])) == 2
