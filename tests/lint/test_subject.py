from __future__ import annotations

from pathlib import Path

from pipeline.lint.probes import PROBES
from pipeline.lint.subject import subject_of
from tests import zoo
from tests.lint.subjects import chatml, sound


def test_every_probe_is_rendered() -> None:
    assert set(sound().renderings) == set(PROBES)
    assert all(rendering.text for rendering in sound().renderings.values())


def test_the_specs_template_replaces_the_files() -> None:
    replaced = subject_of(zoo.SOUND, template="{{ messages[0].content }}")
    assert replaced.renderings["user"].text == PROBES["user"]["messages"][0]["content"]


def test_a_template_for_tools_is_used_for_tools(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    zoo.rewrite(path, {zoo.TEMPLATE: "plain", f"{zoo.TEMPLATE}.tool_use": "with tools"})
    texts = {name: rendering.text for name, rendering in subject_of(path).renderings.items()}
    assert (texts["user"], texts["tools"]) == ("plain", "with tools")
    assert subject_of(path, template=chatml()).renderings["tools"].text != "with tools"


def test_without_a_spec_the_template_tells_the_profile(tmp_path: Path) -> None:
    zoo.DEFECTS["no-template"].make(tmp_path / "base.gguf")
    assert (subject_of(zoo.SOUND).profile, subject_of(tmp_path / "base.gguf").profile) == ("chat", "completion")
