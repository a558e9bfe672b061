from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_a_template_that_the_server_patches(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A617", asked(tmp_path, "template-that-is-patched", engine_build), Severity.INFO)
    assert found.message == "llama-server patches the chat template" and "{%- if false %}" in found.evidence


def test_another_template_is_an_error(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    other = replace(subject.served, props={"chat_template": "{{ messages[0].content }}"})
    subject.__dict__["served"] = other
    (found,) = findings("A617", subject)
    assert (found.severity, found.message) == (Severity.ERROR, "llama-server uses another chat template")


def test_the_newline_that_the_server_drops_is_no_change(engine_build: EngineBuild) -> None:
    subject = replace(sound(), engine=engine_build)
    assert str(subject.template).endswith("\n") and findings("A617", subject) == []
