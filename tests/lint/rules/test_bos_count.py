from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked, number
from tests.lint.subjects import findings, one, sound


def with_bos(head: str, adds: bool) -> zoo.Make:
    """A model whose BOS is <|endoftext|>, and whose template begins with ``head``."""
    keys = {
        zoo.TEMPLATE: head + zoo.value(zoo.TEMPLATE),
        "tokenizer.ggml.bos_token_id": number(zoo.token("<|endoftext|>")),
        "tokenizer.ggml.add_bos_token": adds,
    }
    return lambda target: zoo.rewrite(target, keys)


def test_a_line_before_bos(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A620", asked(tmp_path, "line-before-bos", engine_build), Severity.WARNING)
    assert found.message == "BOS stands 2 times in a prompt" and "the tokenizer adds it" in found.evidence


def test_one_bos_is_as_it_should_be(tmp_path: Path, engine_build: EngineBuild) -> None:
    for head, adds in (("{{ bos_token }}", False), ("", True), ("", False)):
        assert findings("A620", asked(tmp_path, with_bos(head, adds), engine_build)) == [], (head, adds)


def test_the_one_that_the_server_takes_away_does_not_count(tmp_path: Path, engine_build: EngineBuild) -> None:
    assert findings("A620", asked(tmp_path, with_bos("{{ bos_token }}", True), engine_build)) == []


def test_bos_that_opens_every_turn_is_no_fault(tmp_path: Path, engine_build: EngineBuild) -> None:
    turns = zoo.edited("'<|im_start|>' + message.role", "bos_token + '<|im_start|>' + message.role")
    assert findings("A620", asked(tmp_path, turns, engine_build)) == []


def test_none_where_it_should_be_is_an_error(tmp_path: Path, engine_build: EngineBuild) -> None:
    subject = asked(tmp_path, with_bos("", True), engine_build)
    tokens = {**subject.served.tokens, "user": subject.served.tokens["user"][1:]}
    subject.__dict__["served"] = replace(subject.served, tokens=tokens)
    (found,) = findings("A620", subject)
    assert (found.severity, found.message) == (Severity.ERROR, "a prompt has no BOS")


def test_two_that_the_header_shows_are_said_once(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, "template-writes-bos-twice", engine_build)
    assert rules()["A620"].skip(made) == "A202 says what is wrong"


def test_a_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A620", replace(sound(), engine=engine_build)) == []
