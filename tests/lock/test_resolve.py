from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import GgufError, read_header
from pipeline.lock.compile import compile_lock
from pipeline.lock.model import Lockfile
from pipeline.lock.resolve import Learn, Resolution, Resolver, cutoff
from pipeline.runtime.build import EngineBuild
from pipeline.spec.load import find_spec, read_spec
from pipeline.spec.sources._base import Blob, Resolved, source_of
from tests.origin import Origin, origin
from tests.projects import edit

MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


def never(url: str, size: int) -> Digest:
    raise AssertionError(f"{url} was downloaded")


def ask(path: Path, project: Project, learn: Learn, before: Lockfile | None = None) -> Resolution:
    return Resolver(project, learn).resolve(read_spec(path), path, before)


def test_a_stated_digest_is_taken_and_nothing_is_downloaded(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    digest = Digest.of(content)
    url = server.put("/models/small.gguf", content)
    edit(project.specs / "small.yaml", "source: file:../models/small.gguf", f"source: {url}\nsha256: {digest}")
    path = find_spec(project, "small")
    found = ask(path, project, never)
    (weights,) = found.files
    assert (weights.known, weights.digest, weights.urls, weights.size) == ("spec", digest, (url,), len(content))
    assert (found.source.original, found.source.resolved) == (url, url) and server.sent <= MIB + 1


def test_an_unstated_digest_is_learnt_and_marked_so(project: Project) -> None:
    path, asked = find_spec(project, "small"), []
    digest = Digest.of(b"learnt")

    def learn(url: str, size: int) -> Digest:
        asked.append((url, size))
        return digest

    (weights,) = ask(path, project, learn).files
    assert (weights.known, weights.digest) == ("computed", digest)
    assert asked == [("file:models/small.gguf", (project.root / "models" / "small.gguf").stat().st_size)]


@pytest.mark.parametrize("agree", [True, False])
def test_a_published_digest_is_taken_and_may_not_contradict_the_spec(
    project: Project, monkeypatch: pytest.MonkeyPatch, agree: bool
) -> None:
    path = find_spec(project, "small")
    published = Digest.of((project.root / "models" / "small.gguf").read_bytes())
    source = source_of("file:x")
    plain = source.resolve

    def publishing(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
        blob = plain(reference, folder=folder, root=root).blob
        return Resolved("some@commit", (Blob(blob.path, blob.url, blob.size, published),))

    monkeypatch.setattr(source, "resolve", publishing)
    found = ask(path, project, never)
    assert (found.files[0].known, found.files[0].digest, found.source.resolved) == (
        "published",
        published,
        "some@commit",
    )
    stated = published if agree else Digest.of(b"other")
    edit(path, "profile: " if "profile" in path.read_text() else "name: small", f"sha256: {stated}\nname: small")
    if agree:
        assert ask(path, project, never).files[0].known == "spec"
    else:
        with pytest.raises(DigestMismatch, match=f"the spec says {stated}, the origin publishes {published}"):
            ask(path, project, never)


def test_a_template_is_a_file_of_its_own(project: Project) -> None:
    path = find_spec(project, "small")
    (project.root / "models" / "t.jinja").write_text("{{ messages }}")
    path.write_text(path.read_text() + "chat: {template: ../models/t.jinja}\n")
    found = ask(path, project, lambda url, size: Digest.of(url.encode()))
    assert [(file.role, file.urls) for file in found.files] == [
        ("weights", ("file:models/small.gguf",)),
        ("chat_template", ("file:models/t.jinja",)),
    ]


def test_a_name_that_no_lock_may_hold_is_told_before_anything_is_downloaded(project: Project) -> None:
    path, models = find_spec(project, "small"), project.root / "models"
    (models / "small.gguf").rename(models / "c:small.gguf")
    edit(path, "small.gguf", "c:small.gguf")
    with pytest.raises(UsageError, match=r"a file is called 'c:small\.gguf'"):
        ask(path, project, never)
    edit(path, "c:small.gguf", "small.gguf")
    (models / "c:small.gguf").rename(models / "small.gguf")
    (models / "a\\b.jinja").write_text("{{ messages }}")
    path.write_text(path.read_text() + "chat: {template: '../models/a\\b.jinja'}\n")
    with pytest.raises(UsageError, match="it holds a backslash"):
        ask(path, project, lambda url, size: Digest.of(b""))


def test_what_is_named_and_is_not_there(project: Project) -> None:
    path = find_spec(project, "small")
    edit(path, "evals: [few]", "evals: [fewer]")
    with pytest.raises(UsageError, match=r"no suite 'fewer': evals/fewer/suite\.yaml does not exist") as caught:
        ask(path, project, lambda url, size: Digest.of(b""))
    assert caught.value.hint == "did you mean few?"
    edit(path, "evals: [fewer]", "evals: [zzz]")
    with pytest.raises(UsageError, match="no suite 'zzz'") as caught:
        ask(path, project, lambda url, size: Digest.of(b""))
    assert caught.value.hint == "there are: few, greeting"
    edit(path, "evals: [zzz]", "evals: [few]")
    edit(project.suites / "few" / "suite.yaml", 'version: "1"', "version: 1")
    with pytest.raises(SpecError, match=r"few/suite\.yaml:2:10: version wants text, not the number 1"):
        ask(path, project, lambda url, size: Digest.of(b""))


def test_a_project_without_suites_is_told_where_they_lie(project: Project) -> None:
    shutil.rmtree(project.suites)
    with pytest.raises(UsageError, match="no suite 'few'") as caught:
        ask(find_spec(project, "small"), project, lambda url, size: Digest.of(b""))
    assert "a suite is evals/NAME/suite.yaml" in caught.value.hint and "copied" in caught.value.hint


# -- what a lock holds is kept ------------------------------------------------------------------------------------------


def hubbed(project: Project, url: str) -> Path:
    edit(project.specs / "small.yaml", "source: file:../models/small.gguf", f"source: {url}")
    return find_spec(project, "small")


def test_what_is_pinned_is_not_asked_again(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    path = hubbed(project, server.put("/small.gguf", content))
    first = ask(path, project, lambda url, size: Digest.of(content))
    lock = compile_lock(read_spec(path), first)
    asked = len(server.asked)
    server.put("/small.gguf", b"something else now")
    assert ask(path, project, never, lock) == first and len(server.asked) == asked
    with pytest.raises(GgufError):
        ask(path, project, never)


def test_another_source_or_digest_in_the_spec_is_asked_for(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    path = hubbed(project, server.put("/small.gguf", content))
    digest = Digest.of(content)
    lock = compile_lock(read_spec(path), ask(path, project, lambda url, size: digest))
    edit(path, "name: small", f"name: small\nsha256: {digest}")
    asked = len(server.asked)
    assert ask(path, project, never, lock).files == lock.files and len(server.asked) == asked  # it says the same
    edit(path, str(digest), str(Digest.of(b"other")))
    assert ask(path, project, never, lock).files[0].known == "spec" and len(server.asked) > asked
    asked = len(server.asked)
    edit(path, server.put("/small.gguf", content), server.put("/moved.gguf", content))
    assert ask(path, project, never, lock).source.original.endswith("/moved.gguf") and len(server.asked) > asked


def test_mirrors_follow_the_spec_and_nothing_is_asked(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    url = server.put("/small.gguf", content)
    path = hubbed(project, url)
    lock = compile_lock(read_spec(path), ask(path, project, lambda url, size: Digest.of(content)))
    path.write_text(path.read_text() + "mirrors: [https://a.example/b/, https://c.example/d.gguf]\n")
    assert ask(path, project, never, lock).files[0].urls == (
        url,
        "https://a.example/b/small.gguf",
        "https://c.example/d.gguf",
    )


# -- split sets ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(engine_build: EngineBuild, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The model in three files, cut by llama.cpp's own tool."""
    folder = tmp_path_factory.mktemp("split")
    command = [
        str(engine_build.tool("llama-gguf-split")),
        "--split-max-tensors",
        "14",
        str(tiny_chat),
        str(folder / "small"),
    ]
    subprocess.run(command, check=True, capture_output=True, env=dict(engine_build.environment))
    return sorted(folder.iterdir())


def test_a_split_set_is_one_model(project: Project, split: list[Path], tiny_chat: Path) -> None:
    for part in split:
        (project.root / "models" / part.name).write_bytes(part.read_bytes())
    edit(project.specs / "small.yaml", "models/small.gguf", f"models/{split[0].name}")
    path = find_spec(project, "small")
    found = ask(path, project, lambda url, size: Digest.of_file(project.root / url.removeprefix("file:")))
    assert [(file.role, file.path) for file in found.files] == [
        ("weights" if number == 0 else "shard", part.name) for number, part in enumerate(split)
    ]
    assert [file.digest for file in found.files] == [Digest.of_file(part) for part in split]
    whole = facts_of(read_header(tiny_chat)).summary()
    for key in ("parameters", "tensor_count", "quantization", "template_digest", "context_length"):
        assert found.gguf[key] == whole[key]
    assert found.gguf["shards"] == len(split) > 2
    assert found.gguf["file_bytes"] == sum(part.stat().st_size for part in split)


def test_a_mirror_of_a_set_is_a_folder(project: Project, split: list[Path]) -> None:
    for part in split:
        (project.root / "models" / part.name).write_bytes(part.read_bytes())
    path = find_spec(project, "small")
    edit(path, "models/small.gguf", f"models/{split[0].name}\nmirrors: [https://a.example/b/]")
    found = ask(path, project, lambda url, size: Digest.of(b""))
    assert [file.urls[1] for file in found.files] == [f"https://a.example/b/{part.name}" for part in split]
    edit(path, "a.example/b/", "a.example/b.gguf")
    with pytest.raises(UsageError, match="names one file, the weights are 3"):
        ask(path, project, lambda url, size: Digest.of(b""))


def test_a_digest_in_the_spec_can_not_name_a_set(project: Project, split: list[Path]) -> None:
    for part in split:
        (project.root / "models" / part.name).write_bytes(part.read_bytes())
    edit(project.specs / "small.yaml", "models/small.gguf", f"models/{split[0].name}\nsha256: {Digest.of(b'')}")
    with pytest.raises(UsageError, match="sha256: can name but one"):
        ask(find_spec(project, "small"), project, never)


def test_files_that_are_no_set_are_refused(project: Project, split: list[Path]) -> None:
    names = [part.name for part in split]
    for name, part in zip(names, [split[0], split[2], split[1]], strict=True):
        (project.root / "models" / name).write_bytes(part.read_bytes())
    edit(project.specs / "small.yaml", "models/small.gguf", f"models/{names[0]}")
    with pytest.raises(GgufError, match=r"file 2 of 3 says split\.no 2"):
        ask(find_spec(project, "small"), project, never)
    (project.root / "models" / names[2]).unlink()
    with pytest.raises(UsageError, match="no such file") as caught:
        ask(find_spec(project, "small"), project, never)
    assert "all of it is wanted" in caught.value.hint


# -- exclude_newer ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_span_is_a_day_or_so_many_days_ago() -> None:
    assert cutoff(None, NOW) is None
    assert cutoff("7d", NOW) == datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert cutoff("2026-02-28", NOW) == datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="there is no day 2026-02-30"):
        cutoff("2026-02-30", NOW)


def test_what_is_too_new_is_not_locked(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    path = hubbed(project, server.put("/s.gguf", content, headers={"Last-Modified": "Sun, 08 Mar 2026 10:00:00 GMT"}))
    path.write_text(path.read_text() + "exclude_newer: 7d\n")

    def at(day: int) -> Resolution:
        resolver = Resolver(project, lambda url, size: Digest.of(content), now=datetime(2026, 3, day, 12, tzinfo=UTC))
        return resolver.resolve(read_spec(path), path)

    with pytest.raises(UsageError, match="appeared 2026-03-08 10:00 UTC, and exclude_newer is 2026-03-03"):
        at(10)
    assert at(20).source.published == "2026-03-08T10:00:00Z"
    server.put("/s.gguf", content)
    with pytest.raises(UsageError, match="has no date that its origin tells"):
        at(20)
