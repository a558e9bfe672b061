from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.core.errors import UsageError
from pipeline.deploy.door.beside import bound
from pipeline.deploy.door.model import Upstream
from tests.deploy.door.conftest import KEY, Open
from tests.deploy.door.scripted import scripted, whole
from tests.projects import until


def certificate(folder: Path, mode: int = 0o600) -> tuple[Path, Path]:
    """Write a certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    key_file.chmod(mode)
    return cert_file, key_file


def test_tls_serves_the_real_engine_and_no_plain_http(engine: Upstream, door: Open, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    front = door(engine, tls=(cert, key))
    trusting = ssl.create_default_context(cafile=str(cert))
    body = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4, "stream": True}
    with httpx.Client(verify=trusting, headers={"X-Api-Key": KEY}) as client:
        answer = client.post(f"https://localhost:{front.address[1]}/v1/chat/completions", json=body)
    assert answer.status_code == 200 and "[DONE]" in answer.text
    assert b"HTTP/1.1" not in front.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize("fault", ["open", "missing", "other", "nonsense"])
def test_a_certificate_that_can_not_be_used_is_refused(door: Open, tmp_path: Path, fault: str) -> None:
    cert, key = certificate(tmp_path, 0o644 if fault == "open" else 0o600)
    if fault == "missing":
        cert.unlink()
    if fault == "other":
        old = key.read_bytes()
        certificate(tmp_path)
        key.write_bytes(old)
    if fault == "nonsense":
        cert.write_text("nonsense")
    with pytest.raises(UsageError, match="can be read by others" if fault == "open" else "no TLS with"):
        door(tls=(cert, key))


def test_an_address_that_is_taken_or_not_ours_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
            bound("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"can't listen on 192\.0\.2\.1"):
        bound("192.0.2.1", 0)


def test_an_engine_is_replaced_while_requests_come_and_none_fails(sockets: Path, door: Open) -> None:
    digests = ["sha256:" + letter * 64 for letter in "cd"]
    slow, went = threading.Event(), threading.Event()

    def old(client: socket.socket, request: bytes) -> None:
        if b"slow" in request:
            slow.set()
            went.wait(10)
        client.sendall(whole(b'"old"'))

    with (
        scripted(sockets, old, digest=digests[0]) as blue,
        scripted(sockets, lambda client, _: client.sendall(whole(b'"new"')), digest=digests[1]) as green,
    ):
        front = door(blue)
        answers: list[httpx.Response] = []
        waiting = threading.Thread(
            target=lambda: answers.append(front.client.post("/v1/completions", json={"prompt": "slow"}))
        )
        waiting.start()
        assert slow.wait(5)
        pinned = {"model": f"one@{digests[0]}"}
        with httpx.Client(base_url=front.client.base_url, headers=front.client.headers) as client:
            before = [client.post("/v1/completions", json=pinned) for _ in range(5)]
            front.beside.replace(green)
            after = [client.post("/v1/completions", json={}) for _ in range(5)]
            refused = client.post("/v1/completions", json=pinned)
        assert [one.json() for one in before] == ["old"] * 5 and [one.json() for one in after] == ["new"] * 5
        assert {one.headers["x-assay-model-digest"] for one in after} == {digests[1]}
        assert refused.status_code == 404
        assert not front.beside.empty(blue, 0.05)
        went.set()
        waiting.join()
        assert answers[0].json() == "old" and answers[0].headers["x-assay-model-digest"] == digests[0]
        assert front.beside.empty(blue, 5)


def test_whatever_comes_in_a_pause_waits_for_the_next_engine(sockets: Path, door: Open) -> None:
    with (
        scripted(sockets, lambda client, _: client.sendall(whole(b'"old"'))) as blue,
        scripted(sockets, lambda client, _: client.sendall(whole(b'"new"'))) as green,
    ):
        front = door(blue)
        answers: list[object] = []

        def ask(path: str) -> None:
            answers.append(front.client.post(path, json={"content": "x"}).json())

        ask("/tokenize")
        front.beside.pause("one")
        waiting = [threading.Thread(target=ask, args=(path,)) for path in ("/tokenize", "/v1/completions")]
        for one in waiting:
            one.start()
        until(lambda: front.door.room("one").waiting == 2, 5)
        assert front.beside.idle(blue)
        front.beside.replace(green)
        for one in waiting:
            one.join()
        assert answers == ["old", "new", "new"]


def test_a_model_out_of_service_is_refused_and_not_ready(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: client.sendall(whole(b"{}"))) as engine:
        front = door(engine)
        assert front.client.get("/readyz").status_code == 200
        front.beside.close("one", "its file changed")
        answer = front.client.post("/v1/completions", json={})
        assert answer.status_code == 503 and "its file changed" in answer.text and answer.headers["retry-after"]
        assert front.client.get("/readyz").status_code == 503 and front.client.get("/livez").status_code == 200
        front.beside.replace(engine)
        assert front.client.post("/v1/completions", json={}).status_code == 200


def test_several_models_behind_one_door(sockets: Path, door: Open) -> None:
    with (
        scripted(sockets, lambda client, _: client.sendall(whole(b'"one"')), name="one") as one,
        scripted(sockets, lambda client, _: client.sendall(whole(b'"two"')), name="two") as two,
    ):
        two = replace(two, digest="sha256:" + "e" * 64)
        front = door(one, two)
        for upstream in (one, two):
            for model in upstream.names:
                answer = front.client.post("/v1/completions", json={"model": model})
                assert answer.json() == upstream.name
                assert answer.headers["x-assay-model-digest"] == upstream.digest
        answer = front.client.post("/v1/completions", json={})
        assert answer.status_code == 404 and "several models" in answer.text
        until(lambda: len(front.lines()) == 5, 5)
        assert [json.loads(line).get("model") for line in front.lines()] == ["one", "one", "two", "two", None]
