from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.door.names import choose, content_of, listed, model_in
from pipeline.deploy.door.rooms import Room

ONE = Upstream("one", "sha256:" + "a" * 64, "sha256:" + "b" * 64, Path("/one.sock"), "secret-key")
TWO = replace(ONE, name="two", digest="sha256:" + "c" * 64)


def test_a_model_is_meant_by_name_or_by_name_and_digest() -> None:
    for one in (ONE, TWO):
        assert [choose(name, [ONE, TWO]) for name in one.names] == [one, one]
    assert choose("", [ONE]) == ONE


@pytest.mark.parametrize("model", ["", "three", "one@sha256:" + "c" * 64, "one ", "o"])
def test_what_is_not_served_is_told_with_what_is(model: str) -> None:
    with pytest.raises(Refusal, match=f"there are: {', '.join(ONE.names + TWO.names)}") as refusal:
        choose(model, [ONE, TWO])
    assert refusal.value.answer.status == 404


def test_the_list_holds_digests_and_no_secret() -> None:
    content = listed(Room(one, 1, 1.0) for one in (ONE, TWO))
    assert [(one["id"], one["digest"], one["lock"]) for one in content["data"]] == [
        (one.name, one.digest, one.lock) for one in (ONE, TWO)
    ]
    assert "secret-key" not in str(content) + repr(ONE) and "one.sock" not in str(content)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"a"', b"\xff", b"[" * 100_000, b"9" * 5000])
def test_only_json_objects_are_taken(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        content_of(body)
    assert refusal.value.answer.status == 400


def test_a_model_is_named_by_a_string() -> None:
    assert [model_in(one) for one in ({}, {"model": None}, {"model": ""}, {"model": "a"})] == ["", "", "", "a"]
    with pytest.raises(Refusal):
        model_in({"model": ["a"]})
