from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.gguf.header import parse_header, read_header
from pipeline.lint.engine import lint
from pipeline.lint.evidence import hollow
from pipeline.lint.evidence.hollow import Served, errors
from pipeline.lint.evidence.requests import REQUESTS
from pipeline.lint.probes import SECOND, SYSTEM, USER
from pipeline.lint.subject import subject_from, subject_of
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.server import Running
from tests import zoo
from tests.lint.subjects import findings, sound, subject


@pytest.fixture(scope="module")
def served(engine_build: EngineBuild) -> Served:
    return replace(sound(), engine=engine_build).served


def test_the_sound_model(served: Served) -> None:
    assert served.up and not served.missing and not served.refusal and not served.lost
    assert set(served.replies) == set(REQUESTS) and all(reply.status == 200 for reply in served.replies.values())
    assert (
        served.props["chat_template"].strip() == str(sound().template).strip() and served.caps["supports_tools"] is True
    )
    assert served.seconds > 0


def test_the_prompts_are_those_of_the_renderer(served: Served) -> None:
    given = ("undescribed", "unparameterized")  # the server fills in what the renderer leaves as it is given
    ours = {
        name: sound().renderings[name].text for name in REQUESTS if name in sound().renderings and name not in given
    }
    assert {name: served.text(name) for name in ours} == ours


def test_what_only_a_server_can_be_asked(served: Served) -> None:
    assert SYSTEM in (served.text("developer") or "")
    assert f"{USER}\n{SECOND}" in (served.text("parts") or "")
    assert served.text("as-served") == served.text("user")
    assert len({served.text(name) for name in ("round-text", "round-null", "round-absent")}) == 1


def test_prompts_are_split_with_what_the_engine_adds(engine_build: EngineBuild, served: Served, tmp_path: Path) -> None:
    zoo.changed(tokenizer__ggml__add_bos_token=True)(tmp_path / "adds.gguf")
    adds = subject_of(tmp_path / "adds.gguf", engine=engine_build).served
    assert adds.tokens["user"] == (zoo.token("<|endoftext|>"), *served.tokens["user"])


def test_a_template_in_place_of_the_files(engine_build: EngineBuild) -> None:
    other = replace(subject(template="{{ messages[-1].content }}!"), engine=engine_build)
    other = replace(other, facts=sound().facts)
    assert other.served.text("user") == f"{USER}!"


def test_a_refusal_is_told_in_the_servers_words(engine_build: EngineBuild, tmp_path: Path) -> None:
    zoo.DEFECTS["template-syntax-error"].make(tmp_path / "bad.gguf")
    served = subject_of(tmp_path / "bad.gguf", engine=engine_build).served
    assert not served.up and served.ending == "exit code 1"
    assert any("chat template parsing error" in line for line in served.refusal)


def test_a_request_that_fails_has_the_servers_words(engine_build: EngineBuild) -> None:
    strict = (
        "{% if messages | length > 1 and messages[-2].role == 'system' %}{{ raise_exception('not now') }}{% endif %}"
    )
    served = replace(subject(template=strict + str(sound().template)), facts=sound().facts, engine=engine_build).served
    failed = {name for name, reply in served.replies.items() if reply.text is None}
    assert "system-later" in failed and "turns" not in failed
    reply = served.replies["system-later"]
    assert reply.error.startswith("Unable to generate parser") and reply.status == 400
    assert reply.words == "Jinja Exception: not now"


def test_a_header_alone_is_enough(engine_build: EngineBuild) -> None:
    content = zoo.SOUND.read_bytes()
    header = parse_header(content[: read_header(zoo.SOUND).data_offset], len(content))
    assert subject_from(header, engine=engine_build).served.up


def test_a_template_that_never_ends_is_left(engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hollow, "READY_WITHIN", 2.0)
    monkeypatch.setattr(hollow, "exhausting", lambda subject: "")  # as if only the server took so long
    served = replace(subject(template=zoo.BOMB), facts=sound().facts, engine=engine_build).served
    assert (served.refusal, served.ending, served.up) == (("llama-server was not ready after 2 s",), "", False)


def test_a_request_that_is_never_answered_ends_the_questions(
    engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "ANSWER_WITHIN", 1.0)
    slow = "{% if messages[0].content == 'Quernstone house rules' %}" + zoo.BOMB + "{% endif %}" + str(sound().template)
    served = replace(subject(template=slow), facts=sound().facts, engine=engine_build).served
    assert served.text("turns") and served.replies["system"].error == "no answer within 1 s"
    assert list(served.replies)[-1] == "system"


def test_a_prompt_without_end_is_not_read_to_its_end(
    engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "MOST", 1 << 16)
    long = "{% if messages[0].content == 'Quernstone house rules' %}{% for a in range(3000) %}"
    long += "a line of no use to anybody{% endfor %}{% endif %}"
    served = replace(subject(template=long + str(sound().template)), facts=sound().facts, engine=engine_build).served
    assert served.text("turns") and served.replies["system"].error == "the answer grows beyond 0 MiB"


def test_without_an_engine_nothing_is_asked() -> None:
    assert replace(sound(), engine=None).served.missing == "there is no engine to ask"


def test_only_errors_of_a_log_count() -> None:
    lines = (
        '{"level":"info","msg":"fine\\n"}',
        '{"level":"error","msg":"bad\\n"}',
        "warning: no GPU",
        "GGML_ASSERT(x)",
        "",
    )
    assert list(errors("\n".join(lines))) == ["bad", "GGML_ASSERT(x)"]


@pytest.mark.parametrize("at", ["/apply-template", "/v1/chat/completions", "/tokenize"])
def test_a_server_that_dies_is_asked_no_more(
    at: str, engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, said = list[str](), hollow._said

    def say(server: Running, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        if path == at and at not in asked:
            os.kill(server.pid, signal.SIGKILL)
            server.process.wait(5)
        asked.append(path)
        return said(server, path, body)

    monkeypatch.setattr(hollow, "_said", say)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        served = replace(sound(), engine=engine_build).served
        gc.collect()
    assert [str(one.message) for one in found] == [], "no socket stays open"
    assert served.lost == "killed by SIGKILL" and not served.tokens
    assert at == "/tokenize" or asked.count(at) == 1
    made = replace(sound(), engine=engine_build)
    made.__dict__["served"] = served
    assert any("ended" in one.message for one in findings("A613", made))


def test_a_bomb_is_not_given_to_the_server(engine_build: EngineBuild) -> None:
    bomb = "{% for a in range(9999) %}{% for b in range(9999) %}" + "x" * 999 + "{% endfor %}{% endfor %}"
    bombed = replace(subject(template=bomb), engine=engine_build)
    assert bombed.served.missing == bombed.played.missing == "the chat template exhausts its limits"
    assert [found.code for found in lint(bombed)] == ["A102"]
