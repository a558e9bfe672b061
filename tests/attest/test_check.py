from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.attest.bundle import bundle
from pipeline.attest.check import BUNDLE_FILE, PROVENANCE_FILE, SUMMARY_FILE, require_signed
from pipeline.attest.dsse import seal, written
from pipeline.attest.keys import PrivateKey
from pipeline.attest.statements import provenance, summary
from pipeline.core.canonical import digest_of
from pipeline.core.errors import NotSigned
from pipeline.lock.model import Lockfile
from tests.attest.signing import DECISION_DIGEST, decision_on, private
from tests.factories import lock


def attest(folder: Path, of: Lockfile, key: PrivateKey, **how: Any) -> Path:
    """Write all attestations of a lock."""
    folder.mkdir(exist_ok=True)
    gate = summary(of, decision_on(of, **how), DECISION_DIGEST, [], "0.1.0")
    (folder / PROVENANCE_FILE).write_text(written(seal(provenance(of, "0.1.0"), key)))
    (folder / SUMMARY_FILE).write_text(written(seal(gate, key)))
    if key.public.is_ec:
        (folder / BUNDLE_FILE).write_text(written(bundle(of, key)))
    return folder


@pytest.mark.parametrize(("kind", "count"), [("p256", 3), ("ed25519", 2)])
def test_what_is_attested_is_told(tmp_path: Path, kind: str, count: int) -> None:
    key = private(tmp_path, kind)
    found = require_signed(lock(), attest(tmp_path / "a", lock(), key), [key.public])
    assert [one.kind for one in found] == ["provenance", "gate", "model-signing"][:count]
    assert {one.key.id for one in found} == {key.public.id}
    assert "2026-03-14T09:26:53Z, ASSAY_PINNED, ASSAY_LINT" in found[1].said


def other_lock() -> Lockfile:
    """The same model with other weights."""
    model = lock()
    weights = model.weights.model_copy(update={"sha256": str(digest_of("other weights"))})
    return model.model_copy(update={"files": (weights,)})


def swap(name: str) -> Callable[[Path, PrivateKey], object]:
    """Return how one statement is replaced by the same on another lock."""

    def change(folder: Path, key: PrivateKey) -> None:
        (folder / name).write_bytes((attest(folder.parent / "b", other_lock(), key) / name).read_bytes())

    return change


def reseal(name: str, kind: Callable[[Lockfile], dict[str, Any]]) -> Callable[[Path, PrivateKey], object]:
    """Return how one statement is replaced by another with a good signature."""
    return lambda folder, key: (folder / name).write_text(written(seal(kind(lock()), key)))


def claim(of: Lockfile) -> dict[str, Any]:
    """The provenance as somebody else's tool would tell it."""
    made = provenance(of, "0.1.0")
    made["predicate"]["runDetails"]["builder"]["id"] = "https://example.org/builder"
    return made


def lean(of: Lockfile) -> dict[str, Any]:
    """A summary of the lock alone, not of its files."""
    made = summary(of, decision_on(of), DECISION_DIGEST, [], "0.1.0")
    return {**made, "subject": made["subject"][:1]}


FAULTS: dict[str, tuple[Callable[[Path, PrivateKey], object], str]] = {
    "no provenance": (lambda folder, key: (folder / PROVENANCE_FILE).unlink(), "not attested"),
    "no summary": (lambda folder, key: (folder / SUMMARY_FILE).unlink(), "no decision of the gate"),
    "rejected": (lambda folder, key: attest(folder, lock(), key, accepted=False), "did not accept"),
    "other provenance": (swap(PROVENANCE_FILE), "nothing is attested of the lock"),
    "other summary": (swap(SUMMARY_FILE), "nothing is attested of the lock"),
    "other bundle": (swap(BUNDLE_FILE), "nothing is attested of the files"),
    "wrong place": (reseal(SUMMARY_FILE, lambda of: provenance(of, "0.1.0")), "statement of type"),
    "other builder": (reseal(PROVENANCE_FILE, claim), "made by 'https://example.org/builder'"),
    "files left out": (reseal(SUMMARY_FILE, lean), "nothing is attested of tiny-chat-q8_0.gguf"),
    "too large": (lambda folder, key: (folder / SUMMARY_FILE).write_bytes(b" " * (17 << 20)), "too large"),
    "no bundle": (lambda folder, key: (folder / BUNDLE_FILE).write_text("{}"), "no model-signing bundle"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_everything_else_is_refused(tmp_path: Path, fault: str) -> None:
    key, (change, said) = private(tmp_path), FAULTS[fault]
    folder = attest(tmp_path / "a", lock(), key)
    change(folder, key)
    with pytest.raises(NotSigned, match=said) as raised:
        require_signed(lock(), folder, [key.public])
    assert raised.value.hint
    assert raised.value.exit_code == 5


def test_a_key_that_is_not_trusted_is_none(tmp_path: Path) -> None:
    folder = attest(tmp_path / "a", lock(), private(tmp_path))
    with pytest.raises(NotSigned, match="none of the trusted keys"):
        require_signed(lock(), folder, [private(tmp_path, "ed25519", "other").public])
