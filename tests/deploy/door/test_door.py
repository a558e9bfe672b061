from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import openai
import pytest

from pipeline.deploy.door.model import Upstream
from tests.deploy.door.conftest import KEY, Front, Open
from tests.deploy.door.scripted import DIGEST, LOCK, request_on, whole

HELLO = [{"role": "user", "content": "Hello!"}]
ASK = {"messages": HELLO, "max_tokens": 8, "temperature": 0}


@pytest.fixture(scope="module")
def bare(engine: Upstream) -> httpx.Client:
    """The same engine without a door."""
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(engine.socket), limits=httpx.Limits(max_keepalive_connections=0)),
        base_url="http://localhost",
        headers={"Authorization": f"Bearer {engine.key}"},
    )


def test_every_answer_names_lock_and_weights(front: Front, engine: Upstream) -> None:
    answers = [
        front.client.post("/v1/chat/completions", json=ASK),
        front.client.get("/v1/models"),
        front.client.get("/nothing"),
        front.client.post("/v1/chat/completions", content=b"{"),
        httpx.get(front.client.base_url.join("/v1/models")),
    ]
    assert [one.status_code for one in answers] == [200, 200, 404, 400, 401]
    for one in answers:
        assert one.headers["x-assay-lock"] == engine.lock
        assert one.headers["x-assay-model-digest"] == engine.digest


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ASK),
        ("/v1/completions", {"prompt": "Hello", "max_tokens": 4, "temperature": 0}),
        ("/v1/responses", {"input": "Hello!", "max_output_tokens": 8, "temperature": 0}),
        ("/v1/messages", {"messages": HELLO, "max_tokens": 8, "temperature": 0}),
        ("/v1/messages/count_tokens", {"messages": HELLO}),
        ("/tokenize", {"content": "Hello there"}),
        ("/v1/embeddings", {"input": "Hello"}),
        ("/v1/rerank", {"query": "a", "documents": ["b"]}),
    ],
)
def test_answers_are_the_engines(front: Front, bare: httpx.Client, path: str, body: dict[str, object]) -> None:
    here, there = front.client.post(path, json=body), bare.post(path, json=body)
    assert here.status_code == there.status_code
    assert here.headers["content-type"] == there.headers["content-type"]

    def told(answer: httpx.Response) -> object:
        content = answer.json()
        for key in ("id", "created", "created_at", "completed_at", "timings", "output", "usage"):
            if isinstance(content, dict):
                content.pop(key, None)
        return content

    assert told(here) == told(there)


def test_a_stream_ends_as_the_engines_does(front: Front, bare: httpx.Client) -> None:
    texts = []
    for client in (front.client, bare):
        with client.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
        assert lines[-1] == "data: [DONE]"
        pieces = [json.loads(line[6:])["choices"][0]["delta"] for line in lines[:-1]]
        texts.append("".join(piece.get("content") or "" for piece in pieces))
    assert texts[0] == texts[1] != ""


def test_models_are_listed_and_found_by_either_name(front: Front, engine: Upstream) -> None:
    with openai.OpenAI(base_url=f"{front.client.base_url}/v1", api_key=KEY, max_retries=0) as client:
        (listed,) = client.models.list().data
        assert listed.id == "small" and listed.to_dict()["digest"] == engine.digest
        for name in engine.names:
            assert client.models.retrieve(name).to_dict() == listed.to_dict()
        with pytest.raises(openai.NotFoundError, match="small@sha256"):
            client.models.retrieve("other")


@pytest.mark.parametrize("model", ["other", "small@sha256:" + "0" * 64, "SMALL", "small@"])
def test_a_model_that_is_not_served_is_not_answered_for(front: Front, model: str) -> None:
    answer = front.client.post("/v1/chat/completions", json={**ASK, "model": model})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "model_not_found" and "there are: small, small@sha256:" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/slots", 404),
        ("POST", "/slots/0?action=erase", 404),
        ("POST", "/props", 405),
        ("POST", "/models", 405),
        ("DELETE", "/models", 405),
        ("POST", "/models/load", 405),
        ("GET", "/lora-adapters", 404),
        ("POST", "/lora-adapters", 404),
        ("GET", "/cors-proxy", 404),
        ("GET", "/tools", 404),
        ("GET", "/v1/stream", 404),
        ("POST", "/v1/chat/completions/control", 404),
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/chat/../../props", 404),
        ("POST", "//props", 404),
        ("GET", "/props", 200),
        ("HEAD", "/v1/models", 200),
    ],
)
def test_only_what_is_listed_is_passed(front: Front, method: str, path: str, status: int) -> None:
    said = front.raw(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\r\n".encode()
    )
    assert said.startswith(b"HTTP/1.1 %d " % status), said


def test_a_request_leaves_one_line_without_its_prompt(front: Front, engine: Upstream) -> None:
    answer = front.client.post(
        "/v1/chat/completions", json={**ASK, "messages": [{"role": "user", "content": "Xyzzy!"}]}
    )
    told = front.entry(answer.headers["x-request-id"])
    usage = answer.json()["usage"]
    assert (told["caller"], told["status"], told["end"]) == ("alice", 200, "whole")
    assert (told["model"], told["digest"], told["lock"]) == ("small", engine.digest, engine.lock)
    assert (told["prompt_tokens"], told["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert 0 <= told["wait"] <= told["first"] <= told["total"]
    text = front.settings.log.read_text()
    assert "Xyzzy" not in text and KEY not in text
    assert front.settings.log.stat().st_mode & 0o777 == 0o600


def test_a_stream_tells_its_tokens_too(front: Front) -> None:
    with front.client.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as answer:
        answer.read()
    told = front.entry(answer.headers["x-request-id"])
    assert told["completion_tokens"] == 8 and told["prompt_tokens"] > 8


def test_probes_need_no_key_and_everything_else_does(front: Front) -> None:
    for path, status in (("/livez", 200), ("/readyz", 200), ("/health", 200), ("/v1/models", 401), ("/metrics", 401)):
        for host in ("localhost", "10.0.0.7"):
            answer = httpx.get(front.client.base_url.join(path), headers={"Host": host})
            assert answer.status_code == (status if host == "localhost" or status == 200 else 421), (path, host)


def test_metrics_are_ours_and_the_engines(front: Front, engine: Upstream) -> None:
    front.client.post("/v1/chat/completions", json=ASK)
    text = front.client.get("/metrics").text
    of = f'digest="{engine.digest}",model="small"'
    assert f"llamacpp:prompt_tokens_total{{{of}}}" in text
    assert 'assay_requests_total{caller="alice",' in text
    assert f"assay_engine_up{{{of}}} 1.0" in text


def test_an_engine_whose_socket_is_full_is_waited_for(door: Open, sockets: Path) -> None:
    path, answers = sockets / "full.sock", list[object]()
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as held:
        server.bind(str(path))
        server.listen(0)
        with suppress(BlockingIOError):
            while one := held.enter_context(socket.socket(socket.AF_UNIX)):
                one.setblocking(False)
                one.connect(str(path))
        front = door(Upstream("one", DIGEST, LOCK, path, "engine-key", 2))
        asking = threading.Thread(
            target=lambda: answers.append(front.client.post("/v1/completions", json={"prompt": "a"}).json())
        )
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
        held.close()  # those before it go
        request = b""
        while not request:
            with server.accept()[0] as client:
                if request := request_on(client):
                    client.sendall(whole(b'{"made": "late"}'))
        asking.join(10)
    assert answers == [{"made": "late"}] and b'"prompt"' in request
