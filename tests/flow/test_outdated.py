from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.outdated import compare_with, outdated
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from pipeline.lock.model import Lockfile
from pipeline.spec.sources._base import Blob, Resolved
from tests import factories, zoo
from tests.hubs.ollama import ollama
from tests.hubs.registry import registry
from tests.origin import Origin, origin
from tests.projects import edit

MONDAY, TUESDAY = "Mon, 02 Mar 2026 10:00:00 GMT", "Tue, 03 Mar 2026 10:00:00 GMT"


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


@pytest.fixture
def upstream(project: Project, server: Origin) -> Project:
    """The project, its model locked from an origin."""
    url = server.put("/small.gguf", zoo.SOUND.read_bytes(), headers={"Last-Modified": MONDAY})
    edit(project.specs / "small.yaml", "file:../models/small.gguf", url)
    make_lock(Session(project), "small")
    return project


def test_a_file_of_this_machine_has_no_upstream(project: Project) -> None:
    (found,) = outdated(Session(project), ["small"])
    assert found.states == ("local",) and found.current


def test_what_moved_upstream_is_told_and_the_lock_stays(upstream: Project, server: Origin, tmp_path: Path) -> None:
    session, before = Session(upstream), lock_path(upstream, "small").read_bytes()
    (found,) = outdated(session, ["small"])
    assert found.states == ("current",) and found.current

    zoo.template(lambda text: text.replace("assistant", "model"))(tmp_path / "new.gguf")
    content = (tmp_path / "new.gguf").read_bytes()
    server.put("/small.gguf", content, headers={"Last-Modified": TUESDAY})
    (found,) = outdated(session, ["small"])
    assert found.states == ("newer",) and not found.current

    server.put("/small.gguf", status=404)
    (found,) = outdated(session, ["small"])
    assert found.states == ("vanished",) and "404" in found.said
    server.put("/small.gguf", status=403)
    assert outdated(session, ["small"])[0].states == ("gated",)
    server.put("/small.gguf", status=418)
    assert outdated(session, ["small"])[0].states == ("unreachable",)
    assert lock_path(upstream, "small").read_bytes() == before

    server.put("/small.gguf", content, headers={"Last-Modified": TUESDAY})
    assert not make_lock(session, "small").changes
    made = make_lock(session, "small", upgrade=True)
    assert made.written and made.lock.weights.sha256 == str(Digest.of(content))
    topics = {one.topic: one for one in made.meaning}
    assert topics["weights"].changed is False and "the tensors of both are" in topics["weights"].said
    assert topics["chat template"].changed and any("model" in line for line in topics["chat template"].lines)
    assert outdated(session, ["small"])[0].current


HUB = {
    "original": "hf://org/name:Q8_0",
    "resolved": "hf://org/name@aaaa/x.gguf",
    "published": "2026-03-02T10:00:00Z",
    "license": "mit",
    "license_from": "hf:cardData.license",
}


def hubbed() -> Lockfile:
    content = factories.lock().content()
    return Lockfile.model_validate({**content, "source": HUB})


def now(lock: Lockfile) -> Resolved:
    blobs = tuple(Blob(file.path, file.urls[0], file.size, file.digest) for file in lock.shards)
    return Resolved(HUB["resolved"], blobs, license="mit", published=datetime(2026, 3, 2, 10, tzinfo=UTC))


def test_each_thing_that_can_happen_upstream_has_a_name() -> None:
    lock = hubbed()
    same = now(lock)
    blob = same.blob
    assert compare_with(lock, same).states == ("current",)
    newer = compare_with(lock, replace(same, reference="hf://org/name@bbbb/x.gguf"))
    assert newer.states == ("current",) and "newer version with the same weights" in newer.said
    other = replace(same, blobs=(replace(blob, digest=Digest.of(b"other")),))
    assert compare_with(lock, other).states == ("newer",)
    assert compare_with(lock, replace(same, blobs=(blob, blob))).states == ("newer",)
    moved = compare_with(lock, replace(same, reference="hf://new/name@aaaa/x.gguf"))
    assert moved.states == ("renamed",) and "hf://org/name is hf://new/name now" in moved.said
    assert compare_with(lock, replace(same, license="gpl-3.0")).said == "licence mit -> gpl-3.0"
    assert compare_with(lock, replace(same, gated=True)).states == ("gated",)
    nameless = replace(same, blobs=(replace(blob, digest=None),))
    assert compare_with(lock, nameless).states == ("current",)
    assert compare_with(lock, replace(nameless, published=None)).states == ("newer",)
    dateless = Lockfile.model_validate({**lock.content(), "source": {**HUB, "published": None}})
    assert compare_with(dateless, replace(nameless, published=None)).states == ("unknown",)


def test_what_else_an_origin_gives_is_compared(project: Project) -> None:
    weights = zoo.SOUND.read_bytes()
    layers = [
        ("model", weights),
        ("template", b"{{ .Prompt }}"),
        ("params", b'{"temperature": 1}'),
        ("license", b"MIT"),
    ]
    with ollama() as hub:
        hub.publish("acme/tiny", layers)
        edit(project.specs / "small.yaml", "file:../models/small.gguf", f"ollama://{hub.host}/acme/tiny")
        session = Session(project)
        first = make_lock(session, "small").lock
        assert outdated(session, ["small"])[0].current
        layers[1:3] = [("template", b"<{{ .Prompt }}>"), ("params", b'{"temperature": 0}')]
        hub.publish("acme/tiny", layers)
        (found,) = outdated(session, ["small"])
        assert (found.states, found.said) == (("newer",), "other chat template, params")
        made = make_lock(session, "small", upgrade=True, dry_run=True)
        told = {one.topic: one.said for one in made.meaning}
        assert told["weights"] == "unchanged (the same files)" and told["params"] == "changed"
        assert told["chat template"] == "its own file is changed; in the weights: unchanged"
        assert made.lock.weights == first.weights and "licence file" not in told
        hub.publish("acme/tiny", [*layers[:2], layers[3], ("system", b"Be brief.")])
        assert outdated(session, ["small"])[0].said == "other chat template, params, system prompt"
        told = {one.topic: one.said for one in make_lock(session, "small", upgrade=True).meaning}
        assert (told["params"], told["system prompt"]) == ("removed", "added")
        assert outdated(session, ["small"])[0].current


def test_logins_of_this_machine_that_can_not_be_read_are_its_own_fault(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry", basic=True) as running:
        reference = f"oci://{running.host}/tiny:1"
        text = (project.specs / "small.yaml").read_text().replace("file:../models/small.gguf", reference)
        (project.specs / "small.yaml").write_text(text)
        path = lock_path(project, "small")
        content = json.loads(path.read_text())
        content["spec"]["source"] = content["source"]["original"] = reference
        content["spec_digest"] = str(digest_of(content["spec"]))
        path.write_text(json.dumps(content))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        (found,) = outdated(Session(project), ["small"])
        assert found.states == ("gated",) and "asks for a login" in found.said
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(UsageError, match="is no JSON"):
            outdated(Session(project), ["small"])
