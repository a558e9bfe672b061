from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UsageError
from pipeline.spec.sources import _credentials
from pipeline.spec.sources._credentials import Credentials, credentials_for
from tests.hubs.registry import packed

HOST = "registry.example.org"
Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write Docker's file of logins."""
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    path = tmp_path / "docker" / "config.json"
    path.parent.mkdir()

    def put(content: Any) -> Path:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return put


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Install a credential helper ``safe`` of one line of shell; what it was asked is in the file beside it."""

    def install(script: str) -> Path:
        program = tmp_path / "bin" / "docker-credential-safe"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$* $(cat)" > {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return tmp_path / "asked"

    return install


def known(host: str = HOST, repository: str = "models/tiny") -> tuple[str, str] | None:
    found = credentials_for(host, repository)
    return (found.user, found.secret) if found else None


def test_without_a_file_nobody_is_known(write: Write) -> None:
    assert known() is None


@pytest.mark.parametrize(
    ("host", "key"),
    [
        (HOST, HOST),
        (HOST, f"https://{HOST}"),
        (HOST, f"https://{HOST}/v2/"),
        (HOST, f"{HOST}/models"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("docker.io", "docker.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
    ],
)
def test_entries_by_the_names_that_clients_write(write: Write, host: str, key: str) -> None:
    path = write({"auths": {"other.org": {"auth": packed("x", "y")}, key: {"auth": packed("me", "a:b")}}})
    assert credentials_for(host, "models/tiny") == Credentials(str(path), "me", "a:b")


def test_the_most_particular_entry_counts(write: Write) -> None:
    names = [HOST, f"{HOST}/models", f"{HOST}/models/tiny", f"{HOST}/mod"]
    write({"auths": {name: {"auth": packed(name, "x")} for name in names}})
    assert known() == (f"{HOST}/models/tiny", "x")
    assert known(repository="models/other") == (f"{HOST}/models", "x")
    assert known(repository="moderate") == (HOST, "x")
    assert known("evil.org", HOST) is None


def test_the_file_that_is_named_comes_first(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"auths": {HOST: {"auth": packed("docker", "x")}}})
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {HOST: {"auth": packed("podman", "x")}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    assert known() == ("podman", "x")
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": packed("home", "x")}}}))
    assert known() == ("home", "x")


def test_an_identity_token_is_no_password(write: Write) -> None:
    write({"auths": {HOST: {"auth": packed("00000000", ""), "identitytoken": "long"}}})
    found = credentials_for(HOST, "x")
    assert found and found.refreshes and found.secret == "long"


def test_secrets_are_not_shown(write: Write) -> None:
    write({"auths": {HOST: {"auth": packed("me", "hunter2")}}})
    found = credentials_for(HOST, "x")
    assert found and found.basic == f"Basic {packed('me', 'hunter2')}"
    assert "hunter2" not in repr(found) and "me" not in repr(found).removeprefix(f"Credentials(place={found.place!r}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no JSON object"),
        ({"auths": {HOST: {"auth": "?"}}}, "an auth entry is no base64 of user:password"),
        ({"auths": {HOST: {"auth": base64.b64encode(b"hunter2").decode()}}}, "no base64 of user:password"),
        ({"auths": {HOST: {"auth": base64.b64encode(b"\xff:\xff").decode()}}}, "no base64 of user:password"),
        ({"credsStore": "../evil"}, "'../evil' is no name of a credential helper"),
        ({"credsStore": "a b"}, "is no name"),
        ({"credHelpers": {HOST: 7}}, "7 is no name"),
        ({"credHelpers": {HOST: "nowhere-installed"}}, "docker-credential-nowhere-installed, which can't be run"),
    ],
)
def test_what_is_wrong_with_a_file(write: Write, content: Any, message: str) -> None:
    write(content)
    with pytest.raises(UsageError, match=message) as caught:
        known()
    assert caught.value.hint and "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [{"auths": []}, {"auths": {HOST: 7}}, {"auths": {HOST: {}}}, {"credHelpers": 7}])
def test_what_says_nothing_is_passed_over(write: Write, content: Any) -> None:
    write(content)
    assert known() is None


def test_a_file_that_may_not_be_read(write: Write) -> None:
    path = write({})
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match=r"can't read .*config\.json: Is a directory"):
        known()


ANSWER = """echo '{"ServerURL": "x", "Username": "me", "Secret": "hunter2"}'"""


def test_a_helper_is_asked_for_the_registry(write: Write, helper: Callable[[str], Path]) -> None:
    write({"credsStore": "safe", "auths": {HOST: {}}})
    asked = helper(ANSWER)
    assert credentials_for(HOST, "x") == Credentials("docker-credential-safe", "me", "hunter2")
    assert asked.read_text() == f"get {HOST}\n"
    assert known("docker.io") == ("me", "hunter2")
    assert asked.read_text() == "get https://index.docker.io/v1/\n"


def test_a_helper_is_for_its_registry_alone(write: Write, helper: Callable[[str], Path]) -> None:
    write({"credHelpers": {HOST: "safe"}, "auths": {"other.org": {"auth": packed("me", "x")}}})
    asked = helper(ANSWER)
    assert known("other.org") == ("me", "x")
    assert not asked.exists()
    assert known() == ("me", "hunter2")


def test_a_helper_may_hold_a_refresh_token(write: Write, helper: Callable[[str], Path]) -> None:
    write({"credsStore": "safe"})
    helper(ANSWER.replace('"me"', '"<token>"'))
    found = credentials_for(HOST, "x")
    assert found and found.refreshes and found.secret == "hunter2"


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(write: Write, helper: Callable[[str], Path]) -> None:
    write({"credsStore": "safe", "auths": {HOST: {"auth": packed("me", "x")}}})
    helper("echo credentials not found in native keychain; exit 1")
    assert known() == ("me", "x")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo hunter2; exit 3", "docker-credential-safe failed with exit code 3"),
        ("echo hunter2", "does not answer as credential helpers do"),
        ("""echo '{"Username": "me"}'""", "does not answer as credential helpers do"),
        ("""echo '{"Username": 1, "Secret": "hunter2"}'""", "does not answer as credential helpers do"),
        ("echo '[]'", "does not answer as credential helpers do"),
    ],
)
def test_a_helper_that_fails(write: Write, helper: Callable[[str], Path], script: str, message: str) -> None:
    write({"credsStore": "safe"})
    helper(script)
    with pytest.raises(UsageError, match=message) as caught:
        known()
    assert "hunter2" not in str(caught.value)


def test_a_helper_that_waits_is_given_up(
    write: Write, helper: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"credsStore": "safe"})
    helper("exec sleep 60")
    monkeypatch.setattr(_credentials, "_HELPER_SECONDS", 0.2)
    with pytest.raises(UsageError, match="docker-credential-safe gave no answer"):
        known()
