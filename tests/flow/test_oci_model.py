"""A model of a registry with a chat template beside its weights: locked, read again, and served with that template."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import check, fetch_all
from pipeline.flow.session import Session
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.server import running
from tests import zoo
from tests.hubs.registry import Artifact, Layer, registry
from tests.projects import edit

DOCKER = "application/vnd.docker.ai."
TEMPLATE = b"{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }} indeed<|im_end|>\n{% endfor %}<|im_start|>assistant\n"


def test_the_origins_own_template_is_the_models(project: Project, tmp_path: Path, engine_build: EngineBuild) -> None:
    layers = (
        Layer(f"{DOCKER}gguf.v3", zoo.SOUND.read_bytes()),
        Layer(f"{DOCKER}chat.template.jinja", TEMPLATE),
    )
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as hub:
        hub.push("models/small", Artifact(layers, Layer(f"{DOCKER}model.config.v0.1+json", b"{}")), "1.0")
        edit(project.specs / "small.yaml", "file:../models/small.gguf", f"oci://{hub.host}/models/small:1.0")
        session = Session(project)
        lock = make_lock(session, "small").lock
        fetch_all(session, [lock])
        assert session.current("small") == lock and check(session, "small") == []
        assert make_lock(session, "small").lock == lock
    stored = session.stored(lock)
    assert lock.template and lock.template.digest == Digest.of(TEMPLATE) and stored.template
    with running(engine_build, lock, weights=stored.weights, template=stored.template, threads=1) as server:
        body = {"messages": [{"role": "user", "content": "Hello"}]}
        prompt = server.client.post("/apply-template", json=body).raise_for_status().json()["prompt"]
    assert "Hello indeed" in prompt

    (project.root / "models" / "own.jinja").write_text("{{ messages[0].content }} own")
    path = project.specs / "small.yaml"
    path.write_text(path.read_text() + "chat: {template: ../models/own.jinja}\n")
    lock = make_lock(session, "small").lock
    assert [file.role for file in lock.files].count("chat_template") == 2
    assert lock.template and lock.template.urls == ("file:models/own.jinja",)
    assert session.current("small") == lock
