"""What the failure matrix has beside the wire of a hub: kills while a file gets its name, tampered locks and stores, other registries."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from tests.hubs.ollama import manifest
from tests.hubs.watched import watched
from tests.matrix.clients import Assay
from tests.matrix.hostile import hostile
from tests.matrix.lies import corrupt, held
from tests.matrix.stage import FILE, REPO, SMALL, Case, Stage, stage

# Kills itself before the n-th call to the system that naming a verified file makes.
DEADLY = """\
import os, signal, sys
from pipeline.cli import main
from pipeline.store.layout import Store

left, publish = int(sys.argv.pop(1)), Store.publish

def deadly(function):
    def called(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*arguments, **options)
    return called

def armed(*arguments, **options):
    for name in ("fchmod", "fsync", "replace"):
        setattr(os, name, deadly(getattr(os, name)))
    return publish(*arguments, **options)

Store.publish = armed
main.main()
"""


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Stage]:
    """A locked model of a hub, not yet fetched."""
    with hostile() as hub:
        set_up = stage(Case("local"), SMALL, hub, Assay(tmp_path / "project"))
        assert set_up.client.prepare().code == 0
        yield set_up


def right(played: Stage) -> None:
    """The file comes, and the store holds nothing else."""
    done = played.client.get()
    assert done.code == 0, done.said
    assert played.place().read_bytes() == played.files[FILE] and played.client.verify().code == 0


def strangers(played: Stage) -> list[Path]:
    """Return what must not be in the store; temporary files of a killed process have no name that anybody asks for."""
    return [path for path in played.client.strangers() if path.name[0] != "."]


def test_killed_at_each_step_of_naming_a_file(played: Stage) -> None:
    client = played.client
    assert isinstance(client, Assay)
    steps = 0
    while (done := client.finish(client.spawn([sys.executable, "-c", DEADLY, str(steps), "fetch", "m"]))).code == -9:
        assert not strangers(played), f"killed before step {steps}"
        right(played)
        for path in played.place().parent.iterdir():
            path.unlink()
        steps += 1
    assert (done.code, steps >= 6) == (0, True), f"{steps} steps: {done.said}"


@pytest.mark.parametrize(
    ("field", "by", "code", "says"),
    [
        ("sha256", None, 3, "the lock of m is out of date"),
        ("size", 1, 5, "bytes, not the"),
        ("size", -1, 5, "bytes, not the"),
        ("urls", None, 4, "has no revision"),
    ],
)
def test_one_digit_of_the_lock_is_another(played: Stage, field: str, by: int | None, code: int, says: str) -> None:
    path = played.client.folder / "lockfiles" / "m.lock.json"
    lock = json.loads(path.read_bytes())
    file = lock["files"][0]
    if by is not None:
        file["size"] += by
    else:
        text, at = (file["sha256"], -1) if field == "sha256" else (file["urls"][0], file["urls"][0].index("@") + 1)
        other = text[:at] + ("0" if text[at] != "0" else "1") + (text[at + 1 :] if at >= 0 else "")
        file[field] = other if field == "sha256" else [other]
    path.write_text(json.dumps(lock))
    done = played.client.get()
    assert (done.code, says in done.err) == (code, True), done.said
    assert not played.client.strangers() and not played.place().exists()


def test_a_lock_tampered_all_over_still_gets_no_other_bytes(played: Stage) -> None:
    path, right = played.client.folder / "lockfiles" / "m.lock.json", Digest.of(played.files[FILE]).hex
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    path.write_text(path.read_text().replace(right, wrong))
    done = played.client.get()
    assert done.code == 5 and wrong in done.err and right in done.err, done.said
    assert not played.client.strangers() and not played.place().exists()


def test_a_link_where_bytes_are_collected_is_not_followed(played: Stage) -> None:
    client, victim = played.client, played.client.folder / "victim"
    assert isinstance(client, Assay)
    victim.write_bytes(b"keep me")
    partial = client.store.partial(Digest.of(played.files[FILE]))
    partial.parent.mkdir(parents=True)
    partial.symlink_to(victim)
    right(played)
    assert victim.read_bytes() == b"keep me"


def test_a_file_that_nobody_verified_under_a_blobs_name(played: Stage) -> None:
    place = played.place()
    place.parent.mkdir(parents=True)
    place.write_bytes(corrupt(played.files[FILE]))
    done = played.client.get()
    assert done.code == 5 and "other bytes than the lock names" in done.said and not place.exists(), done.said
    right(played)
    place.with_suffix(".json").unlink()
    right(played)


def test_an_origin_that_has_come_to_its_senses(played: Stage) -> None:
    played.hub.begin(lambda wire: wire.serve(corrupt(held(wire))))
    assert played.client.get().code == 5 and not played.client.strangers()
    played.hub.begin()
    right(played)


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "sha256:" + "../" * 21 + "x", "../x"])
@pytest.mark.parametrize("scheme", ["oci", "ollama"])
def test_a_manifest_whose_digest_is_a_path(digest: str, scheme: str, tmp_path: Path) -> None:
    client = Assay(tmp_path / "project")
    with watched() as registry:
        body = json.loads(manifest([("model", b"GGUF")]))
        if scheme == "oci":
            body["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
            body["layers"][0]["mediaType"] = "application/vnd.docker.ai.gguf.v3"
        body["layers"][0]["digest"] = digest
        headers: dict[str, str | None] = {"Content-Type": body["mediaType"]}
        registry.put("/v2/acme/m/manifests/latest", json.dumps(body).encode(), headers=headers)
        client.aim(f"{scheme}://{registry.host}/acme/m:latest", "http://127.0.0.1:9")
        done = client.prepare()
        assert done.code == 4 and "not a digest" in done.err and "Traceback" not in done.said, done.said
        assert all(".." not in path for path, _ in registry.asked)
    assert not (client.folder / "lockfiles").exists() and not client.strangers()


def test_a_bundle_without_one_of_its_chunks(tmp_path: Path) -> None:
    client = Assay(tmp_path / "project")
    with hostile() as hub:
        set_up = stage(Case("bundled"), 3 * SMALL, hub, client)
        assert client.prepare().code == 0
        right(set_up)
    made = client.run("bundle", "m", "-o", str(tmp_path / "m.tar"), "--chunk-size", "1M")
    assert made.code == 0, made.said
    chunks = sorted(tmp_path.glob("m.tar.*"))
    assert len(chunks) >= 3
    chunks[1].unlink()
    other = Assay(tmp_path / "other")
    other.aim("file:nothing.gguf", "http://127.0.0.1:9")
    done = other.run("import", str(chunks[0]))
    assert done.code not in (0, 70) and "Traceback" not in done.said, done.said
    assert not list((other.folder / ".assay").glob("store/blobs/**/*")) and not (other.folder / "lockfiles").exists()


@pytest.mark.parametrize("spoil", [corrupt, lambda content: content[:1000]])
def test_a_wrong_file_in_the_cache_of_other_tools(played: Stage, spoil: Callable[[bytes], bytes]) -> None:
    commit = played.hub.repos[REPO].branches["main"]
    cached = played.client.folder / f"hf/hub/models--{REPO.replace('/', '--')}/snapshots/{commit}/{FILE}"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(spoil(played.files[FILE]))
    right(played)
    assert cached.read_bytes() == spoil(played.files[FILE]), "it is the other tool's"
