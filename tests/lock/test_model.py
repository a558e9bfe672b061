from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.canonical import digest_of
from pipeline.lock.model import Lockfile
from tests import factories

CONTENT = factories.lock().content()


def changed(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(CONTENT)), **changes}


def file(**changes: Any) -> dict[str, Any]:
    return changed(files=[{**CONTENT["files"][0], **changes}])


def test_the_digest_is_that_of_the_whole_content() -> None:
    lock = Lockfile.model_validate(CONTENT)
    assert lock.content() == CONTENT and lock.digest == digest_of(CONTENT)
    assert Lockfile.model_validate(file(size=1)).digest != lock.digest


def test_keys_that_a_lock_does_not_have_are_not_invented() -> None:
    spec = {key: value for key, value in CONTENT["spec"].items() if key in ("name", "source")}
    lock = Lockfile.model_validate(changed(spec=spec))
    assert lock.content()["spec"] == spec and lock.spec.engine.context == 4096


def test_weights_and_template_are_found_by_role() -> None:
    template = {**CONTENT["files"][0], "role": "chat_template", "path": "t.jinja"}
    lock = Lockfile.model_validate(changed(files=[template, *CONTENT["files"]]))
    assert lock.weights.role == "weights" and lock.template is not None and lock.template.path == "t.jinja"
    assert factories.lock().template is None


@pytest.mark.parametrize(
    "content",
    {
        "an unknown key": changed(more=1),
        "a missing key": {key: value for key, value in CONTENT.items() if key != "argv"},
        "a digest that is none": file(sha256="sha256:abc"),
        "a negative size": file(size=-1),
        "a size as text": file(size="5"),
        "no URL": file(urls=[]),
        "an unknown role": file(role="diary"),
        "another version": changed(lock_version=2),
    }.values(),
)
def test_damage_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Lockfile.model_validate(content)


@pytest.mark.parametrize(
    "path",
    [
        "../../../../tmp/evil.gguf",
        "a/../../evil.gguf",
        "/tmp/evil.gguf",
        "..",
        ".",
        "",
        "a//b.gguf",
        "a/",
        "..\\evil.gguf",
        "C:evil.gguf",
        "C:/evil.gguf",
        "evil\0.gguf",
        "evil\n.gguf",
        "evil\x1b[2J.gguf",
        "\u202efugg.exe",
        "\ud800.gguf",
        "x" * 256,
    ],
    ids=ascii,
)
def test_a_path_that_could_lead_anywhere_is_refused(path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Lockfile.model_validate(file(path=path))
    (fault,) = caught.value.errors()
    assert fault["loc"] == ("files", 0, "path") and fault["msg"].isprintable()


@pytest.mark.parametrize("path", ["small.gguf", "Q4_K_M/ein Modell-00001-of-00002.gguf", "模型.gguf", "..gguf", "ab:c"])
def test_a_path_that_stays_where_it_is_put_is_kept(path: str) -> None:
    assert Lockfile.model_validate(file(path=path)).files[0].path == path
