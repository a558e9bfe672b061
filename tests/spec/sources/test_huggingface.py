from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.digest import Digest
from pipeline.core.errors import Gone, NetworkError, UsageError
from pipeline.core.names import fault_of
from pipeline.spec.sources import huggingface as source
from pipeline.spec.sources._base import Resolved
from pipeline.spec.sources._hf_reference import is_commit, is_repo, parse
from pipeline.spec.sources.file import LocalFile
from tests.hubs._hf_repos import FIRST_DAY, Upload
from tests.hubs.huggingface import Hub, hub
from tests.origin import origin

ROOT = Path("/nowhere")
Q4, Q8 = b"GGUF four bits" * 5000, b"GGUF eight bits" * 9000
TINY = "hf://acme/tiny-GGUF"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    for name in [name for name in os.environ if name.startswith("HF_") or name == "XDG_CACHE_HOME"]:
        monkeypatch.delenv(name)
    with hub() as one:
        for name, value in one.environment(tmp_path / "hf").items():
            monkeypatch.setenv(name, value)
        yield one


@pytest.fixture
def tiny(running: Hub) -> Hub:
    """A hub with one repository of many files."""
    running.add_repo(
        "acme/tiny-GGUF",
        {
            "tiny-Q4_K_M.gguf": Q4,
            "tiny-Q8_0.gguf": Q8,
            "mmproj-Q8_0.gguf": b"GGUF eyes",
            "tiny.imatrix.gguf": b"GGUF importance",
            "README.md": Upload(b"# Tiny\n", lfs=False),
        },
        license="Apache-2.0",
    )
    return running


def resolve(reference: str, before: datetime | None = None) -> Resolved:
    return source.resolve(reference, folder=ROOT, root=ROOT, before=before)


def read(url: str, **extent: int) -> tuple[int, int | None, bytes]:
    with source.open(url, root=ROOT).read(**extent) as stream:
        return stream.start, stream.size, b"".join(stream.chunks)


# What is meant


def test_a_quant_is_pinned_by_one_request_to_commit_size_and_digest(tiny: Hub) -> None:
    commit = tiny.repos["acme/tiny-GGUF"].branches["main"]
    for reference in (f"{TINY}:Q4_K_M", f"{TINY}:q4_k_m", f"{TINY}@main:Q4_K_M", f"{TINY}@{commit}:Q4_K_M"):
        tiny.requests.clear()
        found = resolve(reference)
        assert found.reference == found.blob.url == f"hf://acme/tiny-GGUF@{commit}/tiny-Q4_K_M.gguf"
        assert [(blob.path, blob.size, blob.digest, blob.role) for blob in found.blobs] == [
            ("tiny-Q4_K_M.gguf", len(Q4), Digest.of(Q4), "weights")
        ]
        assert found.rule == "the only one of quant Q4_K_M among 2 models"
        assert (found.license, found.license_from, found.gated) == ("apache-2.0", "hf:cardData.license", False)
        assert found.published == FIRST_DAY
        rev = commit if commit in reference else "main"
        assert tiny.asked("hub") == [f"/api/models/acme/tiny-GGUF/revision/{rev}?blobs=true"]
        assert tiny.asked("cdn") == []


@pytest.mark.parametrize("path", ["mmproj-Q8_0.gguf", "tiny.imatrix.gguf", "tiny-Q8_0.gguf"])
def test_an_exact_file_is_any_file(tiny: Hub, path: str) -> None:
    found = resolve(f"{TINY}/{path}")
    assert (found.blob.path, found.blob.role, found.rule) == (path, "weights", "")
    assert len(tiny.requests) == 1


def test_folders_and_odd_names_are_quoted_on_the_way_and_not_in_the_lock(running: Hub) -> None:
    path = "a folder/b%2F#c?d=é@x:y+z.gguf"
    repo = running.add_repo("acme/odd", {path: Q4, "a folder": Upload(b"", lfs=False)})
    found = resolve(f"hf://acme/odd/{path}")
    assert found.reference == f"hf://acme/odd@{repo.branches['main']}/{path}"
    assert found.blob.path == "b%2F#c?d=é@x:y+z.gguf"
    assert read(found.reference) == (0, len(Q4), Q4)


def test_a_file_outside_lfs_has_a_size_and_no_digest(tiny: Hub) -> None:
    found = resolve(f"{TINY}/README.md")
    assert (found.blob.size, found.blob.digest) == (7, None)
    assert read(found.blob.url) == (0, 7, b"# Tiny\n")
    assert read(found.blob.url, start=2, end=4) == (2, 7, b"Ti")
    assert tiny.asked("cdn") == []


def test_branches_tags_and_commits_are_revisions(running: Hub) -> None:
    repo = running.add_repo("acme/tiny", {"a.gguf": b"1"})
    first = repo.branches["main"]
    repo.tags["v1.0"] = first
    second = repo.commit({"a.gguf": b"22"})
    third = repo.commit({"a.gguf": b"333"}, branch="feature/small")
    for rev, commit, size in [
        ("main", second, 2),
        ("v1.0", first, 1),
        ("feature%2Fsmall", third, 3),
        (first, first, 1),
        (third, third, 3),
    ]:
        found = resolve(f"hf://acme/tiny@{rev}/a.gguf")
        assert (found.reference, found.blob.size) == (f"hf://acme/tiny@{commit}/a.gguf", size)
        assert found.published == repo.commits[commit].date
    assert "/api/models/acme/tiny/revision/feature%2Fsmall?blobs=true" in running.asked("hub")


def test_a_renamed_repository_is_told_by_its_new_name(running: Hub) -> None:
    repo = running.add_repo("acme/old", {"a.gguf": Q4})
    pinned = resolve("hf://acme/old/a.gguf").reference
    running.rename("acme/old", "acme/new")
    assert resolve("hf://acme/old/a.gguf").reference == f"hf://acme/new@{repo.branches['main']}/a.gguf"
    assert read(pinned, start=5)[2] == Q4[5:]  # what was locked before is still found
    assert running.asked("hub")[-2:] == [
        f"/acme/{name}/resolve/{repo.branches['main']}/a.gguf" for name in ("old", "new")
    ]


def test_several_or_no_candidates_are_listed(running: Hub) -> None:
    files = ["a-Q4_K_M.gguf", "b-q4_k_m.gguf", "sub/c-Q8_0.gguf", "a-lora-Q4_K_M.gguf", "mmproj-F16.gguf", "notes.md"]
    running.add_repo("acme/many", dict.fromkeys(files, b"x"))
    with pytest.raises(UsageError, match=r"may be any of a-Q4_K_M\.gguf, b-q4_k_m\.gguf$") as caught:
        resolve("hf://acme/many:Q4_K_M")
    assert "name one of them" in caught.value.hint
    with pytest.raises(
        UsageError, match=r"no file is F16; its models are: a-Q4_K_M\.gguf, b-.*, sub/c-Q8_0\.gguf$"
    ) as caught:
        resolve("hf://acme/many:F16")
    assert caught.value.hint == "there are: Q4_K_M, Q8_0"
    with pytest.raises(UsageError, match=r"no file c-Q8_0\.gguf$") as caught:
        resolve("hf://acme/many/c-Q8_0.gguf")
    assert caught.value.hint == "its models are: a-Q4_K_M.gguf, b-q4_k_m.gguf, sub/c-Q8_0.gguf"


def test_a_repository_without_models_is_told_so(running: Hub) -> None:
    running.add_repo("acme/none", {"model.safetensors": b"x"})
    running.add_repo("acme/empty")
    for name in ("none", "empty"):
        for rest in (":Q4_K_M", "/a.gguf"):
            with pytest.raises(UsageError) as caught:
                resolve(f"hf://acme/{name}{rest}")
            assert isinstance(caught.value, Gone) and "GGUF file" in str(caught.value) + caught.value.hint
            assert (
                "repository that does" in caught.value.hint and "none" not in caught.value.message.partition(" at ")[2]
            )


PARTS = [f"UD-Q2_K_XL/big-UD-Q2_K_XL-0000{part}-of-00003.gguf" for part in (1, 2, 3)]


@pytest.mark.parametrize("rest", [":Q2_K_XL", ":ud-q2_k_xl", f"/{PARTS[0]}"])
def test_a_split_set_is_one_model_with_all_its_files_in_order(running: Hub, rest: str) -> None:
    repo = running.add_repo("acme/big", {path: path.encode() for path in reversed(PARTS)})
    found = resolve(f"hf://acme/big{rest}")
    assert [blob.url for blob in found.blobs] == [f"hf://acme/big@{repo.branches['main']}/{path}" for path in PARTS]
    assert [blob.role for blob in found.blobs] == ["weights", "shard", "shard"]
    assert [blob.digest for blob in found.blobs] == [Digest.of(path.encode()) for path in PARTS]
    assert [blob.path for blob in found.blobs] == [path.rpartition("/")[2] for path in PARTS]
    assert [read(blob.url)[2] for blob in found.blobs] == [path.encode() for path in PARTS]
    assert found.rule == (
        "" if rest[0] == "/" else "the only one of quant Q2_K_XL among 1 models, a set of 3 files"
    ) or (rest == ":ud-q2_k_xl" and found.rule.startswith("the only one of quant UD-Q2_K_XL"))


@pytest.mark.parametrize("rest", [":Q2_K_XL", f"/{PARTS[0]}"])
@pytest.mark.parametrize("lost", PARTS)
def test_a_split_set_with_a_hole_is_refused(running: Hub, rest: str, lost: str) -> None:
    running.add_repo("acme/big", {path: b"x" for path in PARTS if path != lost})
    with pytest.raises(UsageError, match=r"missing|no file"):
        resolve(f"hf://acme/big{rest}")


def test_a_later_part_is_no_reference() -> None:
    with pytest.raises(UsageError, match="part 2 of a set") as caught:
        source.check(f"hf://acme/big/{PARTS[1]}")
    assert caught.value.hint == f"name the first: {PARTS[0]}"


@pytest.mark.parametrize(
    ("card", "license"),
    [
        (None, None),
        ({}, None),
        ({"license": None}, None),
        ({"license": ""}, None),
        ({"license": "MIT"}, "mit"),
        ({"license": "other", "license_name": "Tiny-Community-1"}, "tiny-community-1"),
        ({"license": "other", "license_name": 2.0}, "2.0"),
        ({"license": "other"}, "other"),
        ({"license": "mit", "license_name": "x"}, "mit"),
        ({"license": ["mit", "Apache-2.0"]}, "mit and apache-2.0"),
        ({"license": []}, None),
        ({"license": "llama3.1", "base_model": ["a/b"], "tags": [1, None]}, "llama3.1"),
    ],
)
def test_the_licence_is_that_of_the_card(running: Hub, card: dict[str, Any] | None, license: str | None) -> None:
    running.add_repo("acme/tiny", {"a.gguf": b"1"}, card=card)
    found = resolve("hf://acme/tiny/a.gguf")
    assert (found.license, found.license_from) == (license, "hf:cardData.license" if license else "")


# As of a day


def test_a_branch_is_taken_as_it_was(running: Hub) -> None:
    repo = running.add_repo("acme/tiny", {"a.gguf": b"0"})
    running.history_page, main = 3, [repo.branches["main"]]
    main += [repo.commit({"a.gguf": b"x" * (day + 1)}) for day in range(1, 12)]
    repo.tags["v9"] = main[9]
    for head in (True, False):
        running.published_at_head = head
        for day in (0, 1, 5, 10):
            found = resolve("hf://acme/tiny/a.gguf", FIRST_DAY + timedelta(days=day, hours=1))
            assert found.reference == f"hf://acme/tiny@{main[day]}/a.gguf"
            assert (found.blob.size, found.published) == (day + 1, FIRST_DAY + timedelta(days=day))
        # A commit is as old as it is, whatever happened to the repository since.
        for rev in (main[9], "v9"):
            found = resolve(f"hf://acme/tiny@{rev}/a.gguf", FIRST_DAY + timedelta(days=9))
            assert (found.reference, found.published) == (
                f"hf://acme/tiny@{main[9]}/a.gguf",
                FIRST_DAY + timedelta(days=9),
            )
            with pytest.raises(UsageError, match="exclude_newer") as caught:
                resolve(f"hf://acme/tiny@{rev}/a.gguf", FIRST_DAY + timedelta(days=8))
            assert "appeared 2026-01-10 12:00 UTC" in caught.value.message
        with pytest.raises(UsageError, match="exclude_newer"):
            resolve("hf://acme/tiny/a.gguf", FIRST_DAY - timedelta(seconds=1))


def test_what_is_old_enough_needs_no_history(tiny: Hub) -> None:
    assert resolve(f"{TINY}:Q8_0", FIRST_DAY).published == FIRST_DAY
    assert len(tiny.requests) == 1


def test_a_hub_that_tells_no_time_is_asked_for_the_history(tiny: Hub) -> None:
    tiny.alter["/revision/"] = lambda answer: {**answer, "lastModified": None}
    assert resolve(f"{TINY}:Q8_0").published is None
    assert resolve(f"{TINY}:Q8_0", FIRST_DAY).published == FIRST_DAY
    tiny.alter["/commits/"] = lambda answer: []
    with pytest.raises(UsageError, match="has no date"):
        resolve(f"{TINY}:Q8_0", FIRST_DAY)


# Listings


def without(*fields: str) -> Callable[[Any], Any]:
    """Return a change that takes fields out of a model's siblings, or the siblings themselves."""

    def change(answer: Any) -> Any:
        if "siblings" in fields:
            return {key: value for key, value in answer.items() if key != "siblings"}
        siblings = [{key: value for key, value in one.items() if key not in fields} for one in answer["siblings"]]
        return {**answer, "siblings": siblings}

    return change


@pytest.mark.parametrize("fields", [("siblings",), ("size", "lfs"), ("lfs",)])
@pytest.mark.parametrize("page", [1, 2, 1000])
def test_the_tree_tells_what_the_description_leaves_out(tiny: Hub, fields: tuple[str, ...], page: int) -> None:
    whole = resolve(f"{TINY}:Q4_K_M")
    tiny.alter["/revision/"], tiny.page = without(*fields), page
    tiny.requests.clear()
    assert resolve(f"{TINY}:Q4_K_M") == whole
    assert len([path for path in tiny.asked("hub") if "/tree/" in path]) == -(-5 // page)
    assert all(whole.reference.partition("@")[2].partition("/")[0] in path for path in tiny.asked("hub")[1:])


def test_a_hundred_thousand_files_are_no_trouble(running: Hub) -> None:
    one = Upload(b"x")
    files = {f"data/{number // 1000:03}/part-{number:06}.bin": one for number in range(100_000)}
    running.add_repo("acme/huge", {**files, "huge-Q4_K_M.gguf": Q4})
    once = resolve("hf://acme/huge:Q4_K_M")
    assert (once.blob.digest, len(running.requests)) == (Digest.of(Q4), 1)
    running.alter["/revision/"] = without("siblings")
    assert resolve("hf://acme/huge:Q4_K_M") == once
    assert len(running.requests) == 1 + 1 + 101  # with its folders


@pytest.mark.parametrize(
    "link",
    [
        '<https://evil.example/api>; rel="next"',
        "<//evil.example/api>; rel=next",
        '<file:///etc/passwd>; rel="next"',
        '<http://[>; rel="next"',
        '<>; rel="next"',
        '<http://user:pw@127.0.0.1/>; rel="next"',
    ],
)
def test_a_list_goes_on_at_the_hub_alone(running: Hub, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    commit = "a" * 40
    with origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.put("/").rstrip("/"))
        server.put(
            "/api/models/acme/tiny/revision/main?blobs=true", json.dumps({"id": "acme/tiny", "sha": commit}).encode()
        )
        tree = f"/api/models/acme/tiny/tree/{commit}?recursive=true&expand=false"
        server.put(tree, b"[]", headers={"Link": link})
        with pytest.raises(NetworkError, match="goes on where it can't"):
            resolve("hf://acme/tiny/a.gguf")
        # A ring ends too.
        server.put(tree, b"[]", headers={"Link": f'<{tree}&cursor=1>; rel="next"'})
        server.put(f"{tree}&cursor=1", b"[]", headers={"Link": f'<{tree}>; rel="last", <{tree}>; rel="next"'})
        with pytest.raises(NetworkError, match="goes on where it can't"):
            resolve("hf://acme/tiny/a.gguf")
        assert len(server.asked) == 5


# Hostile answers


@pytest.mark.parametrize(
    "path",
    [
        "../x-Q4_K_M.gguf",
        "/etc/x-Q4_K_M.gguf",
        "a/../../x-Q4_K_M.gguf",
        "a//x-Q4_K_M.gguf",
        "./x-Q4_K_M.gguf",
        "a\\x-Q4_K_M.gguf",
        "C:x-Q4_K_M.gguf",
        "a/d:/x-Q4_K_M.gguf",
        "x\0-Q4_K_M.gguf",
        "x\n-Q4_K_M.gguf",
        "x\x1b[2J-Q4_K_M.gguf",
        "x\u202e-Q4_K_M.gguf",
        "x" * 300 + "-Q4_K_M.gguf",
        "x/" * 600 + "x-Q4_K_M.gguf",
    ],
)
def test_a_name_that_could_lead_anywhere_is_refused(running: Hub, path: str) -> None:
    assert fault_of(path)
    running.add_repo("acme/evil", {path: b"x"})
    with pytest.raises(NetworkError, match="the hub lists a file") as caught:
        resolve("hf://acme/evil:Q4_K_M")
    assert caught.value.message.isprintable()
    with pytest.raises(UsageError):
        resolve(f"hf://acme/evil/{path}")
    with pytest.raises(UsageError) as refused:
        resolve("hf://acme/evil:Q8_0")  # it is listed, and can't deceive there either
    assert refused.value.message.isprintable()


def test_names_that_differ_in_case_are_two_candidates(running: Hub) -> None:
    running.add_repo("acme/evil", {"a-Q4_0.gguf": b"x", "A-q4_0.gguf": b"y"})
    with pytest.raises(UsageError, match=r"A-q4_0\.gguf, a-Q4_0\.gguf"):
        resolve("hf://acme/evil:Q4_0")
    assert resolve("hf://acme/evil/A-q4_0.gguf").blob.digest == Digest.of(b"y")


def change(**fields: Any) -> Callable[[Any], Any]:
    return lambda answer: {**answer, **fields}


def sibling(**fields: Any) -> Callable[[Any], Any]:
    return lambda answer: {**answer, "siblings": [{**one, **fields} for one in answer["siblings"]]}


def each(make: Callable[..., Callable[[Any], Any]], name: str, *values: Any) -> list[Callable[[Any], Any]]:
    return [make(**{name: value}) for value in values]


def body(of: Any) -> Callable[[Any], Any]:
    return lambda answer: of


FAULTS: list[Callable[[Any], Any]] = [
    *(body(of) for of in (b"", b"{", b"null", b"[]", b"7", b"\xff", b'"x"', b"[" * 100_000)),
    *each(change, "id", None, 1, "", "x", "../..", "a/b/c", "a/..", "a/b\n", "a--b/c", "x" * 500, {}),
    *each(change, "sha", None, 1, "", "main", "A" * 40, "../../" + "a" * 34, "a" * 41),
    *each(change, "siblings", 1, "x", {}, [1], [None], [[]], [{}], [{"rfilename": 1}]),
    *each(change, "gated", 1, [], {}),
    *each(change, "cardData", 1, "x", []),
    *(change(cardData={"license": value}) for value in [1, {}, [1], True, "a\nb", "\x1b[2J", "x" * 300]),
    *(change(cardData={"license": "other", "license_name": value}) for value in [[], {}, True]),
    *each(change, "lastModified", 1, [], "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"),
    *each(sibling, "size", -1, "1", 1.5, True, 1 << 70, []),
    *each(sibling, "lfs", 1, "x", [], {"sha256": 1}, {"size": "x"}),
    *(sibling(lfs={"sha256": value, "size": 1}) for value in ["x", "../" * 21 + "x", "A" * 64, "a" * 63]),
    sibling(size=5, lfs={"sha256": "a" * 64, "size": 6}),
    sibling(rfilename="tiny-Q4_K_M.gguf"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_description_that_makes_no_sense_is_a_network_error(tiny: Hub, fault: Callable[[Any], Any]) -> None:
    tiny.alter["/revision/"] = fault
    with pytest.raises(NetworkError) as caught:
        resolve(f"{TINY}:Q4_K_M")
    assert caught.value.hint and len(caught.value.message) < 1500 and caught.value.message.isprintable()


@pytest.mark.parametrize(
    "tree",
    [
        {},
        [1],
        [{"type": "file"}],
        [{"type": "file", "path": 7}],
        [{"type": "file", "path": "tiny-Q4_K_M.gguf"}],
        [{"type": "file", "path": "tiny-Q4_K_M.gguf", "size": "1"}],
        [{"type": "file", "path": "tiny-Q4_K_M.gguf", "size": 1, "lfs": {"oid": "sha1"}}],
        [{"type": "file", "path": "tiny-Q4_K_M.gguf", "size": 1, "lfs": {"oid": "a" * 64, "size": 2}}],
        [{"type": "file", "path": "tiny-Q4_K_M.gguf", "size": 1}] * 2,
    ],
)
def test_a_tree_that_makes_no_sense_is_a_network_error(tiny: Hub, tree: Any) -> None:
    tiny.alter |= {"/revision/": without("siblings"), "/tree/": lambda answer: tree}
    with pytest.raises(NetworkError) as caught:
        resolve(f"{TINY}:Q4_K_M")
    assert caught.value.hint


@pytest.mark.parametrize(
    "alter",
    [
        {"/commits/": [{"id": "a" * 40}]},
        {"/commits/": [{"id": "../..", "date": "2020-01-01T00:00:00Z"}]},
        {"/commits/": [{"id": "a" * 40, "date": "x"}]},
        {"/commits/": {"x": 1}},
        {"/refs": {}},
        {"/refs": {"branches": [1]}},
    ],
)
def test_a_history_that_makes_no_sense_is_a_network_error(tiny: Hub, alter: dict[str, Any]) -> None:
    tiny.alter |= {part: body(answer) for part, answer in alter.items()}
    with pytest.raises(NetworkError):
        resolve(f"{TINY}:Q4_K_M", FIRST_DAY - timedelta(days=1))


def test_another_commit_than_the_one_that_was_asked_for_is_refused(tiny: Hub) -> None:
    commit = tiny.repos["acme/tiny-GGUF"].branches["main"]
    tiny.alter["/revision/"] = change(sha="b" * 40)
    with pytest.raises(NetworkError, match="the hub answers with"):
        resolve(f"{TINY}@{commit}:Q4_K_M")


# Reading


def test_the_storage_never_sees_a_token(running: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = running.add_repo("acme/private", {"a.gguf": Q4}, private=True)
    monkeypatch.setenv("HF_TOKEN", f" {running.add_token('hf_reader', repo)}\n")
    found = resolve("hf://acme/private/a.gguf")
    remote = source.open(found.blob.url, root=ROOT)
    for start, end in ((0, None), (7, 9000), (len(Q4) - 1, None)):
        with remote.read(start, end) as stream:
            assert (stream.start, stream.size, b"".join(stream.chunks)) == (start, len(Q4), Q4[start:end])
    assert running.leaked == [] and len(running.asked("cdn")) == 3
    assert {request.authorization for request in running.requests if request.server == "hub"} == {"Bearer hf_reader"}
    # The address in the storage was asked for once.
    assert len([path for path in running.asked("hub") if "/resolve/" in path]) == 1


def test_an_expired_address_is_asked_for_again(tiny: Hub) -> None:
    remote = source.open(resolve(f"{TINY}:Q8_0").blob.url, root=ROOT)
    for start in (0, 100, 200):
        with remote.read(start, start + 100) as stream:
            assert b"".join(stream.chunks) == Q8[start : start + 100]
        tiny.expire()
    assert len([path for path in tiny.asked("hub") if "/resolve/" in path]) == 3


def test_a_storage_that_refuses_for_good_is_told(tiny: Hub) -> None:
    tiny.expires = -1.0
    with pytest.raises(NetworkError, match="403 Forbidden") as caught:
        read(resolve(f"{TINY}:Q8_0").blob.url)
    assert "Signature" not in caught.value.message


@pytest.mark.parametrize("rev", ["main", "v1", "a" * 39, "A" * 40, "a" * 41, ""])
def test_only_a_commit_is_opened(tiny: Hub, rev: str) -> None:
    for url in (f"{TINY}@{rev}/tiny-Q8_0.gguf", f"{TINY}/tiny-Q8_0.gguf", f"{TINY}@{'a' * 40}:Q8_0"):
        with pytest.raises(UsageError):
            source.open(url, root=ROOT)
    assert tiny.requests == []


def test_a_large_file_is_read_from_disk_in_parts(running: Hub, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(300 << 20)
        file.seek(200 << 20)
        file.write(b"needle")
    running.add_repo("acme/big", {"big.gguf": Upload(big, sha256="0" * 64)})
    found = resolve("hf://acme/big/big.gguf")
    assert found.blob.size == 300 << 20
    assert read(found.blob.url, start=(200 << 20) - 1, end=(200 << 20) + 7) == (
        (200 << 20) - 1,
        300 << 20,
        b"\0needle\0",
    )


# The cache of others


def put(home: Path, commit: str, path: str, target: str | bytes, repo: str = "models--acme--tiny-GGUF") -> Path:
    place = home / repo / "snapshots" / commit / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(target, bytes):
        place.write_bytes(target)
    else:
        place.symlink_to(target)
    return place


@pytest.mark.parametrize(
    ("variables", "home"),
    [
        ({"HF_HOME": "hf"}, "hf/hub"),
        ({"HF_HUB_CACHE": "cache"}, "cache"),
        ({"HF_HOME": "hf", "HF_HUB_CACHE": "cache"}, "cache"),
        ({"XDG_CACHE_HOME": "xdg"}, "xdg/huggingface/hub"),
        ({"HOME": "home"}, "home/.cache/huggingface/hub"),
        ({"HF_HOME": "~/hf", "HOME": "home"}, "home/hf/hub"),
    ],
)
def test_a_file_in_the_cache_is_taken_from_there(
    tiny: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], home: str
) -> None:
    monkeypatch.delenv("HF_HOME")
    for name, value in variables.items():
        monkeypatch.setenv(name, value if value.startswith("~") else str(tmp_path / value))
    url = resolve(f"{TINY}:Q4_K_M").blob.url
    commit = parse(url).rev
    cache = tmp_path / home
    (cache / "models--acme--tiny-GGUF" / "blobs").mkdir(parents=True)
    blob = cache / "models--acme--tiny-GGUF" / "blobs" / Digest.of(Q4).hex
    blob.write_bytes(Q4)
    put(cache, commit, "tiny-Q4_K_M.gguf", f"../../blobs/{blob.name}")
    tiny.requests.clear()
    remote = source.open(url, root=ROOT)
    assert isinstance(remote, LocalFile) and remote.path == blob.resolve()
    assert read(url, start=3) == (3, len(Q4), Q4[3:])
    assert tiny.requests == []
    assert read(resolve(f"{TINY}:Q8_0").blob.url)[2] == Q8  # the other one is not there
    assert len(tiny.asked("cdn")) == 1


def test_what_leads_out_of_the_cache_is_not_taken(tiny: Hub, tmp_path: Path) -> None:
    url = resolve(f"{TINY}:Q4_K_M").blob.url
    commit, cache = parse(url).rev, tmp_path / "hf" / "hub"
    (tmp_path / "hf" / "secret").parent.mkdir()
    (tmp_path / "hf" / "secret").write_bytes(b"secret")
    (tmp_path / "hf" / "hub-elsewhere").mkdir()
    (tmp_path / "hf" / "hub-elsewhere" / "secret").write_bytes(b"secret")
    for target in (
        str(tmp_path / "hf" / "secret"),
        "../../../../secret",
        "../../../../hub-elsewhere/secret",
        "loop",
        ".",
    ):
        place = put(cache, commit, "tiny-Q4_K_M.gguf", target)
        if target == "loop":
            place.with_name("loop").symlink_to("tiny-Q4_K_M.gguf")
        assert read(url)[2] == Q4
        place.unlink()
    os.mkfifo(place)
    assert read(url)[2] == Q4
    assert len(tiny.asked("cdn")) == 6


# Tokens


@pytest.mark.parametrize(
    ("variables", "files", "sent"),
    [
        ({}, {}, None),
        ({"HF_TOKEN": "hf_a"}, {"hf/token": "hf_b"}, "hf_a"),
        ({"HF_TOKEN": " "}, {"hf/token": "hf_b\n"}, "hf_b"),
        ({}, {"hf/token": "  \n"}, None),
        ({"HF_TOKEN_PATH": "elsewhere"}, {"elsewhere": "hf_c", "hf/token": "hf_b"}, "hf_c"),
        ({"HF_TOKEN_PATH": "missing"}, {"hf/token": "hf_b"}, None),
        ({"HF_TOKEN_PATH": "."}, {"hf/token": "hf_b"}, None),
        ({"HF_TOKEN": "hf_a", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, {"hf/token": "hf_b"}, None),
        ({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "true"}, {"hf/token": "hf_b"}, None),
        ({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}, {"hf/token": "hf_b"}, "hf_b"),
    ],
)
def test_the_token_is_found_where_other_tools_leave_it(
    tiny: Hub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    files: dict[str, str],
    sent: str | None,
) -> None:
    for token in ("hf_a", "hf_b", "hf_c"):
        tiny.add_token(token)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if name == "HF_TOKEN_PATH" else value)
    remote = source.open(resolve(f"{TINY}:Q8_0").blob.url, root=ROOT)
    with remote.read() as stream:
        assert b"".join(stream.chunks) == Q8
    want = f"Bearer {sent}" if sent else None
    assert {request.authorization for request in tiny.requests if request.server == "hub"} == {want}
    assert tiny.leaked == []


def test_the_token_is_read_when_it_is_needed(tiny: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = source.open(resolve(f"{TINY}:Q8_0").blob.url, root=ROOT)
    monkeypatch.setenv("HF_TOKEN", tiny.add_token("hf_later"))
    with remote.read():
        pass
    assert [request.authorization for request in tiny.requests] == [None, "Bearer hf_later", None]


@pytest.mark.parametrize(
    "token", ["hf_se\ncret", "hf_se\r\nX-Evil: cret", "hf_se cret", "hf_se\x7fcret", "hf_séecret", "hf_secret" * 999]
)
@pytest.mark.parametrize("place", ["HF_TOKEN", "token"])
def test_a_token_that_is_none_is_refused_without_showing_it(
    tiny: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str, place: str
) -> None:
    if place == "HF_TOKEN":
        monkeypatch.setenv(place, token)
    else:
        (tmp_path / "hf").mkdir()
        (tmp_path / "hf" / "token").write_bytes(token.encode())
    with pytest.raises(UsageError, match="is no token") as caught:
        resolve(f"{TINY}:Q8_0")
    assert place in caught.value.message
    assert "cret" not in f"{caught.value.message} {caught.value.hint}"
    assert tiny.requests == []


def test_a_token_file_that_may_not_be_read_is_told(tiny: Hub, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").symlink_to("token")
    with pytest.raises(UsageError, match="can't read the token in"):
        resolve(f"{TINY}:Q8_0")


# Refusals


def refusal(reference: str, *, opening: bool = False) -> NetworkError:
    with pytest.raises(NetworkError) as caught:
        read(reference) if opening else resolve(reference)
    assert not caught.value.transient and caught.value.exit_code == 4
    return caught.value


def test_missing_and_private_repositories_can_not_be_told_apart_without_a_token(
    running: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.add_repo("acme/private", {"a.gguf": Q4}, private=True)
    for name in ("private", "absent"):
        for reference, opening in ((f"hf://acme/{name}/a.gguf", False), (f"hf://acme/{name}@{'a' * 40}/a.gguf", True)):
            error = refusal(reference, opening=opening)
            assert f"acme/{name} is private, gated or missing" in error.message
            assert "check the name" in error.hint and "HF_TOKEN" in error.hint
    monkeypatch.setenv("HF_TOKEN", running.add_token("hf_stranger"))
    for name in ("private", "absent"):
        error = refusal(f"hf://acme/{name}/a.gguf")
        assert f"there is no repository acme/{name}, or none that the token may see" in error.message
        assert "hf_stranger" not in error.message + error.hint


def test_a_gated_model_is_locked_by_all_and_read_by_those_let_in(running: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = running.add_repo("acme/gated", {"a.gguf": Q4}, gated="manual")
    found = resolve("hf://acme/gated/a.gguf")
    assert found.gated and found.blob.digest == Digest.of(Q4)
    error = refusal(found.blob.url, opening=True)
    assert "acme/gated is gated: it is read with a token only" in error.message
    assert f"accept the terms at {running.url}/acme/gated" in error.hint and "HF_TOKEN" in error.hint
    monkeypatch.setenv("HF_TOKEN", running.add_token("hf_asked"))
    assert "its owner has not let you in" in refusal(found.blob.url, opening=True).message
    repo.readers.add("hf_asked")
    assert read(found.blob.url)[2] == Q4
    repo.gated = "auto"
    assert resolve("hf://acme/gated/a.gguf").gated
    assert running.leaked == []


def test_a_disabled_repository_is_told(running: Hub) -> None:
    repo = running.add_repo("acme/gone", {"a.gguf": Q4})
    url = resolve("hf://acme/gone/a.gguf").blob.url
    repo.disabled = True
    assert "acme/gone is disabled" in refusal("hf://acme/gone/a.gguf").message
    assert "acme/gone is disabled" in refusal(url, opening=True).message


def test_tokens_without_rights_and_unknown_ones_are_told(tiny: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", tiny.add_token("hf_weak", powerless=True))
    error = refusal(f"{TINY}:Q8_0")
    assert 'the token may not read acme/tiny-GGUF: "Your token lacks the permission' in error.message
    assert "/settings/tokens" in error.hint
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    error = refusal(f"{TINY}:Q8_0")
    assert "does not know the token" in error.message and "hf_unknown" not in error.message + error.hint


def test_revisions_and_files_that_are_gone_are_told(tiny: Hub) -> None:
    url = resolve(f"{TINY}:Q8_0").blob.url
    assert "acme/tiny-GGUF has no revision 'nope/x'" in refusal(f"{TINY}@nope%2Fx:Q8_0").message
    # A history that is written anew takes commits away.
    gone = f"{TINY}@{'a' * 40}/tiny-Q8_0.gguf"
    error = refusal(gone, opening=True)
    assert f"has no revision '{'a' * 40}'" in error.message and "commits may vanish" in error.hint
    assert "has no other.gguf at" in refusal(url.replace("tiny-Q8_0", "other"), opening=True).message


def test_a_busy_hub_is_waited_for(tiny: Hub) -> None:
    tiny.limit(2)
    found = resolve(f"{TINY}:Q8_0")
    assert (len(tiny.requests), found.blob.digest) == (3, Digest.of(Q8))
    tiny.limit(1, wait=400)
    with pytest.raises(NetworkError) as caught:
        resolve(f"{TINY}:Q8_0")
    assert (caught.value.transient, caught.value.wait) == (True, 400.0)
    tiny.limit(1, wait=7)
    with pytest.raises(NetworkError) as caught:
        read(found.blob.url)
    assert (caught.value.transient, caught.value.wait) == (True, 7.0)


@pytest.mark.parametrize(
    "endpoint", ["http://192.0.2.1", "http://hub.example", "ftp://127.0.0.1", "https://me:pw@hub.example", "x"]
)
def test_a_hub_is_asked_by_https_or_on_this_machine(
    running: Hub, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for verb in (lambda: resolve("hf://a/b:Q8_0"), lambda: read(f"hf://a/b@{'a' * 40}/c.gguf")):
        with pytest.raises(UsageError) as caught:
            verb()
        assert "pw" not in caught.value.message


def test_an_endpoint_may_end_in_a_slash(tiny: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{tiny.url}/")
    assert read(resolve(f"{TINY}:Q8_0").blob.url)[2] == Q8


# References


@pytest.mark.parametrize(
    ("reference", "repo", "rev", "path", "quant"),
    [
        ("hf://a/b:Q4_0", "a/b", "main", "", "Q4_0"),
        ("hf://a/b@v1:Q4_0", "a/b", "v1", "", "Q4_0"),
        ("hf://a/b/c.gguf", "a/b", "main", "c.gguf", ""),
        ("hf://a/b@x%2Fy/c/d.gguf", "a/b", "x/y", "c/d.gguf", ""),
        ("hf://a/b@x@y/cc:d@e.gguf", "a/b", "x@y", "cc:d@e.gguf", ""),
        ("hf://a_A.0/B-b.1/c%2Fd.gguf", "a_A.0/B-b.1", "main", "c%2Fd.gguf", ""),
        ("hf://a/b@refs%2Fpr%2F7:UD-Q4_K_XL", "a/b", "refs/pr/7", "", "UD-Q4_K_XL"),
    ],
)
def test_references_are_read(reference: str, repo: str, rev: str, path: str, quant: str) -> None:
    found = parse(reference)
    assert (found.repo, found.rev, found.path, found.quant) == (repo, rev, path, quant)


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "hf:",
            "hf://",
            "hf://a",
            "hf://a/",
            "hf://a/b",
            "hf://a/b@",
            "hf://a/b@main",
            "hf://a/b/",
            "hf://a/b:",
            "hf:a/b:Q4_0",
        ),
        *("hf://a/b@/c.gguf", "hf://a/b@:Q4_0", "hf://a/b@..%2F..:Q4_0", "hf://a/b@%00:Q4_0", "hf://a/b@a%0Ab:Q4_0"),
        *("hf://a/b@-x:Q4_0", "hf://a/b@%20:Q4_0", "hf://a/b@a..b:Q4_0", "hf://a/b@/:Q4_0", "hf://a/b@x%3Fy:Q4_0"),
        *(
            "hf://../b:Q4_0",
            "hf://a/..:Q4_0",
            "hf://a--b/c:Q4_0",
            "hf://-a/b:Q4_0",
            "hf://a/b.git:Q4_0",
            "hf://é/b:Q4_0",
        ),
        *("hf://a/b:Q4 0", "hf://a/b:Q4/0", "hf://a/b:..", "hf://a/b:_", "hf://a/b:Q4_0\n", "hf://a/b:" + "Q" * 50),
        *("hf://a/b/../c.gguf", "hf://a/b//c.gguf", "hf://a/b/c\0.gguf", "hf://a/b/c\\d.gguf", "hf://a/b/C:/d.gguf"),
        *(
            "hf://a/b/c-00001-of-00000.gguf",
            "hf://a/b/c-00002-of-00003.gguf",
            "HF://a/b:Q4_0",
            "hf://" + "a" * 97 + "/b:Q4_0",
        ),
    ],
)
def test_references_that_are_none_are_refused(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        source.check(reference)
    assert caught.value.hint
    assert caught.value.message.isprintable()


PIECES = st.sampled_from(
    ["hf://", "a", "B.b", "/", "@", ":", "..", "%2F", "%00", "Q4_K_M", ".gguf", "-00001-of-00002", "\\", "\n", "é"]
)


@given(
    st.one_of(
        st.text(),
        st.text().map("hf://".__add__),
        st.lists(PIECES).map("".join),
        st.lists(PIECES).map(lambda x: "hf://a/b" + "".join(x)),
    )
)
@example("hf://a/b@\ud800:Q4_0")
@example("hf://a/b/\ud800.gguf")
def test_reading_a_reference_raises_nothing_else(reference: str) -> None:
    try:
        found = parse(reference)
    except UsageError as error:
        assert error.hint
        return
    assert is_repo(found.repo) and bool(found.path) != bool(found.quant)
    assert not fault_of(found.path) if found.path else found.quant.isascii()
    assert found.rev and "\0" not in found.rev
    pinned = f"hf://{found.repo}@{'a' * 40}/{found.path}"
    assert not found.path or (parse(pinned).path == found.path and is_commit(parse(pinned).rev))


def test_the_time_of_the_hub_is_in_utc() -> None:
    from pipeline.spec.sources._hf_api import time_of

    assert time_of("2026-01-01T12:00:00.000Z", "") == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert time_of("2026-01-01T12:00:00+02:00", "").isoformat() == "2026-01-01T10:00:00+00:00"
    assert time_of("2026-01-01T12:00:00", "").tzinfo is UTC
