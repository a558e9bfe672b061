from __future__ import annotations

import base64
import copy
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from pipeline.attest.dsse import PAYLOAD_TYPE, STATEMENT, opened, pae, seal, unseal, written
from pipeline.core.errors import NotSigned
from tests.attest.signing import private

SUM = "ab" * 32
WORDS: dict[str, Any] = {
    "_type": STATEMENT,
    "subject": [{"name": "é", "digest": {"sha256": SUM}}],
    "predicateType": "https://example.org/test/v1",
    "predicate": {"said": "yes"},
}


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_securesystemslib_takes_it(tmp_path: Path, kind: str) -> None:
    """The reference library of DSSE verifies our envelopes, and not those of another key."""
    key, other = private(tmp_path, kind), private(tmp_path, kind, "other")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from securesystemslib.dsse import Envelope
        from securesystemslib.exceptions import VerificationError
        from securesystemslib.signer import SSlibKey

        envelope = Envelope.from_dict(json.loads(written(seal(WORDS, key))))
        theirs = SSlibKey.from_crypto(key.public.key, keyid=key.public.id)
        assert envelope.pae() == pae(envelope.payload)
        assert set(envelope.verify([theirs], 1)) == {key.public.id}
        with pytest.raises(VerificationError):
            envelope.verify([SSlibKey.from_crypto(other.public.key, keyid=key.public.id)], 1)


def test_it_takes_what_securesystemslib_signs(tmp_path: Path) -> None:
    key = private(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from securesystemslib.dsse import Envelope
        from securesystemslib.signer import CryptoSigner, SSlibKey

        content = json.dumps(WORDS, indent=1).encode()
        envelope = Envelope(content, PAYLOAD_TYPE, {})
        envelope.sign(CryptoSigner(key._key, SSlibKey.from_crypto(key.public.key)))
    assert unseal(json.dumps(envelope.to_dict()).encode(), [key.public], "theirs").statement == WORDS


def test_a_sealed_statement_is_read_back(tmp_path: Path) -> None:
    key, other = private(tmp_path), private(tmp_path, "ed25519", "other")
    found = unseal(written(seal(WORDS, key)).encode(), [other.public, key.public], "x")
    assert (found.statement, found.key.id, found.digests) == (WORDS, key.public.id, {SUM})
    assert written(seal(WORDS, key)) == written(seal(WORDS, key))


def test_base64_for_urls_is_taken(tmp_path: Path) -> None:
    key = private(tmp_path)
    envelope = seal({**WORDS, "predicate": {"said": "ÿÿÿ>>>???" * 9}}, key)
    changed = {**envelope, "payload": envelope["payload"].replace("+", "-").replace("/", "_")}
    assert opened(changed, [key.public], "x").statement["predicate"]["said"].startswith("ÿ")


def test_the_name_of_a_key_is_not_trusted(tmp_path: Path) -> None:
    """Which key signed is found out by trying, whatever the envelope says."""
    key, other = private(tmp_path), private(tmp_path, "p256", "other")
    envelope = seal(WORDS, other)
    envelope["signatures"][0]["keyid"] = key.public.id
    with pytest.raises(NotSigned, match="none of the trusted keys"):
        opened(envelope, [key.public], "x")
    envelope["signatures"].append({"sig": seal(WORDS, key)["signatures"][0]["sig"]})
    assert opened(envelope, [key.public], "x").key.id == key.public.id


def broken(envelope: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return envelopes that must not be taken."""
    payload = base64.b64decode(envelope["payload"])
    made = [
        ("payload", {**envelope, "payload": base64.b64encode(payload.replace(b"yes", b"no!")).decode()}),
        ("type", {**envelope, "payloadType": "text/plain"}),
        ("no signature", {**envelope, "signatures": []}),
        ("no payload", {key: value for key, value in envelope.items() if key != "payload"}),
        ("junk in base64", {**envelope, "payload": envelope["payload"] + "!"}),
        ("a list", [envelope]),
        ("signatures as text", {**envelope, "signatures": "x"}),
        ("numbers", {**envelope, "payload": 7}),
    ]
    cut = copy.deepcopy(envelope)
    cut["signatures"][0]["sig"] = cut["signatures"][0]["sig"][:-8] + "AAAAAA=="
    return [*made, ("signature", cut)]


@pytest.mark.parametrize("number", range(9))
def test_what_was_changed_is_refused(tmp_path: Path, number: int) -> None:
    key = private(tmp_path, "ed25519")
    what, envelope = broken(seal(WORDS, key))[number]
    with pytest.raises(NotSigned) as raised:
        opened(envelope, [key.public], "the file")
    assert "the file" in raised.value.message, what
    assert raised.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        {**WORDS, "_type": "https://in-toto.io/Statement/v0.1"},
        {**WORDS, "subject": []},
        {**WORDS, "subject": [{"name": "x", "digest": {"md5": "0"}}]},
        {**WORDS, "predicate": "yes"},
        {"a": 1},
        {**WORDS, "subject": "all"},
    ],
)
def test_a_signed_text_that_says_nothing_of_digests_is_refused(tmp_path: Path, statement: dict[str, Any]) -> None:
    key = private(tmp_path, "ed25519")
    with pytest.raises(NotSigned, match="no in-toto statement"):
        opened(seal(statement, key), [key.public], "x")


def test_a_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    key = private(tmp_path, "ed25519")
    for content in (b"", b"{", b"\xff", b'{"payload": 1, "payload": 2}', b"[" * 100_000):
        with pytest.raises(NotSigned):
            unseal(content, [key.public], "x")
