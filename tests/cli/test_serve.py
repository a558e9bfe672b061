"""``assay serve`` as its users meet it: a real process, a real client."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from pipeline.core.project import Project
from pipeline.lock.load import read_lock
from pipeline.store.layout import Store
from tests.projects import alive, assay, finish, flip, start, stop, until

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]


@dataclass
class Served:
    """A model that ``assay serve`` serves."""

    process: subprocess.Popen[str]
    content: dict[str, Any]

    @property
    def key(self) -> str:
        return Path(self.content["key_file"]).read_text().strip()

    def client(self, key: str | None = None) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.content["url"], api_key=key or self.key, max_retries=0, timeout=60)


def begin(project: Project) -> Served:
    """Start ``assay serve`` and wait for what it says once it is ready."""
    process = start("serve", "small", "--port", "0", "--json", project=project)
    assert process.stdout
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        if not line:
            raise AssertionError(finish(process))
        text += line
    return Served(process, json.loads(text))


@pytest.fixture(scope="module")
def own_project(finished_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(shutil.copytree(finished_project.root, tmp_path_factory.mktemp("served") / "project"))


@pytest.fixture(scope="module")
def served(own_project: Project) -> Iterator[Served]:
    found = begin(own_project)
    yield found
    stop(found.process)


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with served.client() as found:
        yield found


def blob_of(project: Project) -> Path:
    return Store(project.store).path(read_lock(project, "small").weights.digest)


def test_what_it_says_is_the_chain(served: Served, own_project: Project) -> None:
    lock = read_lock(own_project, "small")
    content = served.content
    assert content["schema"] == "assay.serve/1"
    assert (content["lock"], content["weights"]) == (str(lock.digest), lock.weights.sha256)
    assert content["url"].startswith("http://127.0.0.1:")
    assert content["models"] == ["small", f"small@{lock.weights.sha256}"]
    assert content["decision"] == "accepted"
    assert alive(content["pid"])
    assert served.key not in json.dumps(content)
    shown = Path(f"/proc/{content['pid']}/cmdline").read_text() + Path(content["log"]).read_text()
    assert served.key not in shown


def test_both_names_answer(served: Served, client: openai.OpenAI) -> None:
    answers = []
    for name in served.content["models"]:
        answer = client.chat.completions.create(model=name, messages=HELLO, temperature=0, max_tokens=32)
        assert answer.choices[0].finish_reason in ("stop", "length")
        answers.append(answer.choices[0].message.content)
    assert answers[0] and answers[0] == answers[1]


def test_the_longest_answer_is_the_specs_where_a_request_names_none(client: openai.OpenAI) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Repeat: " + "red blue green old new " * 5}]
    answer = client.chat.completions.create(model="small", messages=long, temperature=0)
    assert answer.usage and answer.usage.completion_tokens == 16
    assert answer.choices[0].finish_reason == "length"


def test_a_stream_is_the_whole_in_pieces(served: Served, client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="small", messages=HELLO, temperature=0, max_tokens=32)
    with client.chat.completions.create(
        model="small", messages=HELLO, temperature=0, max_tokens=32, stream=True
    ) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(pieces) > 2
    assert "".join(pieces) == whole.choices[0].message.content
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert ends == [whole.choices[0].finish_reason]


def test_a_tool_is_called_and_its_result_used(client: openai.OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Bergen?"}]
    asked = client.chat.completions.create(
        model="small", messages=messages, tools=[WEATHER], temperature=0, max_tokens=96
    )
    message = asked.choices[0].message
    assert asked.choices[0].finish_reason == "tool_calls" and message.tool_calls, message
    (call,) = message.tool_calls
    assert call.type == "function" and call.function.name == "get_weather" and call.id
    assert list(json.loads(call.function.arguments)) == ["city"]

    result = json.dumps({"temperature": 21, "condition": "sunny"})
    messages += [
        message.to_dict(),  # type: ignore[list-item]
        {"role": "tool", "tool_call_id": call.id, "content": result},
    ]
    used = client.chat.completions.create(
        model="small", messages=messages, tools=[WEATHER], temperature=0, max_tokens=96
    )
    assert used.choices[0].finish_reason == "stop"
    assert used.choices[0].message.content and not used.choices[0].message.tool_calls


def test_the_list_of_models_names_the_digest(served: Served, client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "small"
    assert set(model.to_dict()["aliases"]) == set(served.content["models"])  # type: ignore[call-overload]


def test_without_the_key_nothing_is_answered(served: Served) -> None:
    with served.client("assay-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="small", messages=HELLO)
    url = served.content["url"].removesuffix("/v1")
    for path in ("/v1/models", "/props", "/metrics", "/slots"):
        assert httpx.get(url + path).status_code == 401, path


def test_another_site_s_page_may_not_read_answers(served: Served) -> None:
    evil = {"Origin": "https://evil.example", "Authorization": f"Bearer {served.key}"}
    url = f"{served.content['url']}/chat/completions"
    for answer in (
        httpx.post(url, headers=evil, json={"model": "small", "messages": HELLO, "max_tokens": 4}),
        httpx.options(url, headers={**evil, "Access-Control-Request-Method": "POST"}),
    ):
        assert "evil.example" not in str(answer.headers)
        assert answer.headers.get("access-control-allow-origin") != "*"
        assert answer.headers.get("access-control-allow-credentials") != "true"


def test_a_second_one_is_refused(served: Served, own_project: Project) -> None:
    code, _, err = assay("serve", "small", "--port", "0", project=own_project)
    assert code == 2 and "small is being served already" in err and "stop it with Ctrl-C" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_a_stream_in_flight(assayed: Project, number: signal.Signals) -> None:
    served = begin(assayed)
    endless = {"model": "small", "messages": HELLO, "max_tokens": 1000, "stream": True, "ignore_eos": True}
    headers = {"Authorization": f"Bearer {served.key}"}
    try:
        url = f"{served.content['url']}/chat/completions"
        with httpx.stream("POST", url, headers=headers, json=endless, timeout=30) as answer:
            lines = answer.iter_lines()
            assert next(lines)
            served.process.send_signal(number)
            code, _, err = finish(served.process, within=10)
            with pytest.raises(httpx.TransportError):  # it had not come to its end
                list(lines)
    finally:
        stop(served.process)
    assert code == 0, err
    assert err.rstrip().endswith("stopping") and "Traceback" not in err
    until(lambda: not alive(served.content["pid"]), 1)
    again = begin(assayed)  # nothing of it is in the way
    again.process.send_signal(signal.SIGTERM)
    assert finish(again.process, within=10)[0] == 0


def test_one_flipped_bit_is_found_and_not_served(assayed: Project) -> None:
    lock, blob = read_lock(assayed, "small"), blob_of(assayed)
    assert assay("verify", project=assayed)[0] == 0  # the receipt is that of this copy
    flip(blob)
    assert assay("verify", project=assayed)[0] == 0  # size, time and inode are as they were

    code, out, err = assay("serve", "small", "--port", "0", project=assayed)
    assert (code, out) == (5, ""), err
    assert f"want {lock.weights.sha256}" in err


def test_verify_deep_names_the_blob_what_it_is_and_where(assayed: Project) -> None:
    lock, blob = read_lock(assayed, "small"), blob_of(assayed)
    assert assay("verify", project=assayed)[0] == 0
    flip(blob, at=lock.weights.size // 2)
    code, out, err = assay("verify", "--deep", "--json", project=assayed)
    assert code == 5
    (file,) = json.loads(out)["files"]
    assert not file["ok"] and file["want"] == lock.weights.sha256 != file["got"]
    for piece in (
        *("small.gguf: other bytes than the lock names", f"want {file['want']}", f"got  {file['got']}"),
        *(f"size {lock.weights.size}", f"path {blob}", f"moved to {file['quarantined']}"),
    ):
        assert piece in err
    assert Path(file["quarantined"]).stat().st_size == lock.weights.size and not blob.exists()

    assert assay("fetch", project=assayed)[0] == 0  # and a good one comes back
    assert assay("verify", "--deep", project=assayed)[0] == 0


@pytest.mark.parametrize("how", ["flipped", "swapped"])
def test_a_file_that_changes_while_it_is_served_ends_it(assayed: Project, how: str) -> None:
    served, blob = begin(assayed), blob_of(assayed)
    try:
        if how == "flipped":
            flip(blob)
        else:
            other = blob.with_name("other")
            other.write_bytes(blob.read_bytes()[:-1] + b"?")
            other.replace(blob)
        code, _, err = finish(served.process, within=15)
    finally:
        stop(served.process)
    assert code == 5, err
    assert "other bytes than the lock names" in err
    assert not alive(served.content["pid"])


def test_an_unjudged_model_is_served_but_says_so(project: Project) -> None:
    process = start("serve", "small", "--port", "0", project=project)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "decision" in line)
        assert "none on record" in line
    finally:
        stop(process)
