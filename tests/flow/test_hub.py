"""From a hub to verified files, through the loopback Hugging Face hub: locked by metadata, fetched, upgraded, outdated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.outdated import outdated
from pipeline.flow.prepare import check, fetch_all, verify_all
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from pipeline.lock.model import Lockfile
from tests import zoo
from tests.hubs.huggingface import Hub, hub
from tests.projects import edit

NAME = "org/small-GGUF"


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        files = {"small-Q8_0.gguf": zoo.SOUND, "small-F16.gguf": zoo.SOUND.with_name("tiny-chat-f16.gguf")}
        running.add_repo(NAME, files, license="apache-2.0")
        yield running


@pytest.fixture
def hubbed(project: Project, upstream: Hub) -> Project:
    edit(project.specs / "small.yaml", "file:../models/small.gguf", f"hf://{NAME}:Q8_0")
    return project


def test_a_lock_is_metadata_alone_and_the_fetch_proves_it(hubbed: Project, upstream: Hub) -> None:
    session, digest = Session(hubbed), Digest.of_file(zoo.SOUND)
    made = make_lock(session, "small")
    commit = upstream.repos[NAME].branches["main"]
    assert made.lock.source.resolved == f"hf://{NAME}@{commit}/small-Q8_0.gguf" == made.lock.weights.urls[0]
    assert (made.lock.weights.known, made.lock.weights.digest) == ("published", digest)
    assert made.lock.source.rule and "Q8_0" in made.lock.source.rule and made.lock.source.license == "apache-2.0"
    assert upstream.url not in lock_path(hubbed, "small").read_text()
    assert not session.store.has(digest)

    asked = len(upstream.requests)
    assert make_lock(session, "small").changes == () and check(session, "small") == []
    assert len(upstream.requests) == asked, "a lock that stands asks nobody"

    (path,) = fetch_all(session, [made.lock])
    assert path.read_bytes() == zoo.SOUND.read_bytes() and not upstream.leaked
    assert all(result.ok for result in verify_all(session, [made.lock], deep=True))
    asked = len(upstream.requests)
    fetch_all(Session(hubbed, offline=True), [made.lock])
    assert len(upstream.requests) == asked


def test_an_upgrade_tells_a_new_template_from_new_weights(hubbed: Project, upstream: Hub, tmp_path: Path) -> None:
    session = Session(hubbed)
    first = make_lock(session, "small").lock
    fetch_all(session, [first])
    zoo.template(lambda text: text.replace("assistant", "model"))(tmp_path / "new.gguf")
    upstream.repos[NAME].commit({"small-Q8_0.gguf": tmp_path / "new.gguf"})
    assert outdated(session, ["small"])[0].states == ("newer",)
    assert make_lock(session, "small").lock == first, "what is upstream stales no lock"

    dry = make_lock(session, "small", upgrade=True, dry_run=True)
    topics = {one.topic: one for one in dry.meaning}
    assert topics["weights"].changed is None and "samples of" in topics["weights"].said  # the new one isn't here
    assert topics["chat template"].changed and topics["chat template"].lines
    assert lock_path(hubbed, "small").read_text().count(first.weights.sha256) > 0

    fetch_all(session, [dry.lock])
    topics = {one.topic: one for one in make_lock(session, "small", upgrade=True).meaning}
    assert topics["weights"].changed is False and "the tensors of both are" in topics["weights"].said
    assert outdated(session, ["small"])[0].current


def test_what_can_happen_to_a_repository(hubbed: Project, upstream: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(hubbed)
    make_lock(session, "small")
    upstream.repos[NAME].commit({"README.md": b"hello"})
    (found,) = outdated(session, ["small"])
    assert found.current and "newer version with the same weights" in found.said
    upstream.repos[NAME].card = {"license": "gemma"}
    assert outdated(session, ["small"])[0].states == ("relicensed",)
    upstream.repos[NAME].card = {"license": "apache-2.0"}
    upstream.rename(NAME, "new/small-GGUF")
    (found,) = outdated(session, ["small"])
    assert found.states == ("renamed",) and "hf://new/small-GGUF now" in found.said
    upstream.repos["new/small-GGUF"].gated = "auto"
    assert "gated" in outdated(session, ["small"])[0].states
    del upstream.repos["new/small-GGUF"]
    (found,) = outdated(session, ["small"])
    assert found.states == ("gated",) and "the hub does not tell which" in found.said
    monkeypatch.setenv("HF_TOKEN", upstream.add_token("hf_known"))
    assert outdated(session, ["small"])[0].states == ("vanished",)
    with pytest.raises(NetworkError):
        make_lock(session, "small", upgrade=True)


def test_a_catalog_is_locked_with_a_few_requests_a_model(hubbed: Project, upstream: Hub) -> None:
    text = (hubbed.specs / "small.yaml").read_text()
    names = [f"m{number}" for number in range(24)]
    for name in names:
        (hubbed.specs / f"{name}.yaml").write_text(text.replace("name: small", f"name: {name}"))
    session = Session(hubbed)
    made = make_locks(session, names)
    assert [one.lock.name for one in made] == names and all(one.written for one in made)
    assert len(upstream.requests) <= 4 * len(names)
    asked = len(upstream.requests)
    assert not any(check(session, name) for name in names) and len(upstream.requests) == asked


def test_a_projector_is_locked_and_fetched_beside_the_weights(hubbed: Project, upstream: Hub) -> None:
    upstream.repos[NAME].commit({"mmproj-small-f16.gguf": zoo.SOUND.with_name("tiny-chat-f16.gguf")})
    path = hubbed.specs / "small.yaml"
    path.write_text(path.read_text() + f"mmproj: hf://{NAME}/mmproj-small-f16.gguf\n")
    session = Session(hubbed)
    lock = make_lock(session, "small").lock
    assert [file.role for file in lock.files] == ["weights", "mmproj"] and lock.mmproj
    assert len(fetch_all(session, [lock])) == 2
    assert session.stored(lock).mmproj == session.store.path(lock.mmproj.digest)
    asked = len(upstream.requests)
    assert make_lock(session, "small").lock == lock and len(upstream.requests) == asked


def pair(digests: list[str], role: str, lock: Lockfile) -> bool:
    return digests == [file.sha256 for file in lock.files if file.role == role]


def test_the_weights_stay_pinned_when_only_the_projector_is_asked(
    hubbed: Project, upstream: Hub, tmp_path: Path
) -> None:
    session, path = Session(hubbed), hubbed.specs / "small.yaml"
    first = make_lock(session, "small").lock
    zoo.template(lambda text: text.replace("assistant", "model"))(tmp_path / "new.gguf")
    f16 = zoo.SOUND.with_name("tiny-chat-f16.gguf")
    upstream.repos[NAME].commit({"small-Q8_0.gguf": tmp_path / "new.gguf", "mmproj-a.gguf": f16})

    plain = path.read_text()
    path.write_text(plain + f"mmproj: hf://{NAME}/mmproj-a.gguf\n")
    added = make_lock(session, "small").lock
    assert (added.source, added.weights, added.gguf) == (first.source, first.weights, first.gguf)
    assert pair([str(Digest.of_file(f16))], "mmproj", added)

    (hubbed.root / "models" / "mmproj.gguf").write_bytes(f16.read_bytes())
    path.write_text(plain + "mmproj: file:../models/mmproj.gguf\n")
    for content in (f16, zoo.SOUND):
        (hubbed.root / "models" / "mmproj.gguf").write_bytes(content.read_bytes())
        local = make_lock(session, "small").lock
        assert local.weights == first.weights and pair([str(Digest.of_file(content))], "mmproj", local)

    path.write_text(plain)
    assert make_lock(session, "small").lock == first


def test_the_projector_stays_pinned_when_only_the_source_is_asked(hubbed: Project, upstream: Hub) -> None:
    f16 = zoo.SOUND.with_name("tiny-chat-f16.gguf")
    upstream.repos[NAME].commit({"mmproj-a.gguf": f16})
    session, path = Session(hubbed), hubbed.specs / "small.yaml"
    path.write_text(path.read_text() + f"mmproj: hf://{NAME}/mmproj-a.gguf\n")
    first = make_lock(session, "small").lock
    upstream.repos[NAME].commit({"mmproj-a.gguf": zoo.SOUND})
    edit(path, ":Q8_0", ":F16")
    again = make_lock(session, "small").lock
    assert again.weights.digest == Digest.of_file(f16) and again.mmproj == first.mmproj
    edit(path, f"hf://{NAME}:F16", "file:../models/small.gguf")
    assert make_lock(session, "small").lock.mmproj == first.mmproj


def test_a_projector_that_moved_is_told(hubbed: Project, upstream: Hub) -> None:
    upstream.repos[NAME].commit({"mmproj-a.gguf": zoo.SOUND.with_name("tiny-chat-f16.gguf")})
    session, path = Session(hubbed), hubbed.specs / "small.yaml"
    path.write_text(path.read_text() + f"mmproj: hf://{NAME}/mmproj-a.gguf\n")
    make_lock(session, "small")
    assert outdated(session, ["small"])[0].current
    upstream.repos[NAME].commit({"mmproj-a.gguf": zoo.SOUND})
    (found,) = outdated(session, ["small"])
    assert found.states == ("newer",) and "mmproj: another file" in found.said
    told = [str(one) for one in make_lock(session, "small", upgrade=True, dry_run=True).meaning]
    assert "mmproj: changed" in told and "weights: unchanged (the same files)" in told
    upstream.repos[NAME].commit({"small-Q8_0.gguf": zoo.SOUND}, keep=False)
    (found,) = outdated(session, ["small"])
    assert found.states == ("vanished",) and "mmproj: " in found.said and "no file mmproj-a.gguf" in found.said


def test_a_fault_of_this_machine_is_not_told_of_the_origin(
    hubbed: Project, upstream: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(hubbed)
    make_lock(session, "small")
    upstream.repos[NAME].private = True
    (found,) = outdated(session, ["small"])
    assert found.states == ("gated",) and "asks for a login" in found.said
    monkeypatch.setenv("HF_TOKEN", "two words")
    with pytest.raises(UsageError, match="is no token"):
        outdated(session, ["small"])
    monkeypatch.setenv("HF_TOKEN", upstream.add_token("hf_reader", upstream.repos[NAME]))
    assert outdated(session, ["small"])[0].current
    upstream.repos[NAME].commit({"other-Q4_0.gguf": b"x"}, keep=False)
    (found,) = outdated(session, ["small"])
    assert found.states == ("vanished",) and "no file is Q8_0" in found.said


def test_what_is_too_new_to_be_locked_is_newer(hubbed: Project, upstream: Hub, tmp_path: Path) -> None:
    session, path = Session(hubbed), hubbed.specs / "small.yaml"
    make_lock(session, "small")
    path.write_text(path.read_text() + "exclude_newer: 2001-01-01\n")
    zoo.template(lambda text: text.replace("assistant", "model"))(tmp_path / "new.gguf")
    upstream.repos[NAME].commit({"small-Q8_0.gguf": tmp_path / "new.gguf"})
    (found,) = outdated(session, ["small"])
    assert found.states == ("newer",) and "exclude_newer is 2001-01-02" in found.said


def test_more_metadata_than_the_known_is_told(hubbed: Project, upstream: Hub, tmp_path: Path) -> None:
    session = Session(hubbed)
    make_lock(session, "small")
    zoo.changed(**{"llama.context_length": 99})(tmp_path / "new.gguf")
    upstream.repos[NAME].commit({"small-Q8_0.gguf": tmp_path / "new.gguf"})

    def told() -> dict[str, str]:
        return {one.topic: one.said for one in make_lock(session, "small", upgrade=True, dry_run=True).meaning}

    assert "99" in told()["context"] and "other metadata" not in told()
    zoo.changed(**{"llama.context_length": 99, "llama.rope.freq_base": 5.0})(tmp_path / "new.gguf")
    upstream.repos[NAME].commit({"small-Q8_0.gguf": tmp_path / "new.gguf"})
    assert "99" in told()["context"] and told()["other metadata"] == "llama.rope.freq_base"
