from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.evidence import hollow
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound

LISTS = "{{%- if {0} -%}}{{%- set keys = messages[0] | list -%}}{{%- endif -%}}"


def test_tools_that_the_server_fails_on(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A613", asked(tmp_path, "lists-an-object", engine_build), Severity.ERROR)
    assert "'tools' (also: called" in found.message and "filter 'list' for type Object" in found.message
    one("A613", asked(tmp_path, "lists-an-object", engine_build, checks=["stop-tokens"]), Severity.WARNING)


@pytest.mark.parametrize(
    ("when", "severity", "what"),
    [
        ("messages[0].content == 'Quernstone house rules'", Severity.ERROR, "'system' (also: developer)"),
        ("messages[-1].content == 'Quernstone ask two' and messages | length == 2", Severity.INFO, "'asked-twice'"),
        ("messages[0].content == 'Quernstone ask one\\nQuernstone ask two'", Severity.INFO, "'parts'"),
    ],
)
def test_how_bad_it_is(when: str, severity: Severity, what: str, tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A613", asked(tmp_path, zoo.led(LISTS.format(when)), engine_build), severity)
    assert what in found.message


def test_what_the_template_refuses_itself_is_not_the_servers(tmp_path: Path, engine_build: EngineBuild) -> None:
    for name in ("template-refuses-system", "roles-must-alternate", "tool-call-id-of-nine"):
        assert findings("A613", asked(tmp_path, name, engine_build)) == [], name


def test_a_conversation_that_never_ends(
    tmp_path: Path, engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "ANSWER_WITHIN", 0.5)
    subject = asked(tmp_path, zoo.changed(), engine_build)
    slow = "{% if messages[0].content == 'Quernstone house rules' %}" + zoo.BOMB + "{% endif %}" + str(subject.template)
    made = replace(subject, template=slow)
    made.__dict__["renderings"] = subject.renderings  # jinja2 would not come to an end either
    found = one("A613", made, Severity.ERROR)
    assert "no answer within 0 s" in found.message


def test_a_feature_that_the_engine_lacks_is_the_headers(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, "template-filter-unique", engine_build)
    assert rules()["A613"].skip(made) in ("A123 says what is wrong", "llama-server does not start with the template")


def test_a_sound_model_is_answered(engine_build: EngineBuild) -> None:
    assert findings("A613", replace(sound(), engine=engine_build)) == []
