from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.deploy.door.blame import of_request
from tests.deploy.door.conftest import Open
from tests.deploy.door.scripted import scripted, whole


def error(message: object) -> bytes:
    return json.dumps({"error": {"code": 500, "message": message, "type": "server_error"}}).encode()


@pytest.mark.parametrize(
    "message",
    [
        "[json.exception.type_error.302] type must be string, but is number",
        "Failed to parse tools: Expected 'tools' to be an array",
        "'messages' is required",
    ],
)
def test_what_the_request_caused(message: str) -> None:
    assert of_request(error(message)) == message


@pytest.mark.parametrize(
    "body", [error("Compute error."), error("context shift is disabled"), error(5), b"", b"[]", b"{}"]
)
def test_what_it_did_not(body: bytes) -> None:
    assert of_request(body) is None


@pytest.mark.parametrize(("message", "status"), [("'messages' is required", 400), ("Compute error.", 500)])
def test_only_the_requests_own_faults_become_400(sockets: Path, door: Open, message: str, status: int) -> None:
    head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    with scripted(sockets, lambda client, _: client.sendall(whole(error(message), head))) as engine:
        answer = door(engine).client.post("/v1/completions", json={})
    assert answer.status_code == status and answer.json()["error"]["message"] == message
    assert (answer.content == error(message)) is (status == 500)
