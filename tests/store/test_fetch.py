from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, NetworkError, UsageError
from pipeline.lock.model import LockedFile
from pipeline.store.fetch import fetch, learn
from pipeline.store.layout import Store
from pipeline.store.partial import journal_of
from tests.origin import Answer, Origin
from tests.projects import until
from tests.store.heard import Heard

CONTENT = b"GGUF" + bytes(range(251)) * 8000  # 2 MB
DIGEST = Digest.of(CONTENT)
PATH = "/m.gguf"
ROOT = Path(__file__).parents[2]


def locked(*urls: str, content: bytes = CONTENT) -> LockedFile:
    return LockedFile(
        role="weights", path="m.gguf", size=len(content), sha256=str(Digest.of(content)), urls=urls, known="spec"
    )


def sound(store: Store) -> None:
    """Every blob in the store is what its name says, read-only, and the one that is wanted is there."""
    for path in store.root.glob("blobs/sha256/*/*"):
        if path.suffix != ".json":
            assert Digest.of_file(path).hex == path.name and path.stat().st_mode & 0o777 == 0o444
    assert store.has(DIGEST) and store.receipt(DIGEST) is not None and not list(store.root.glob("partial/*"))


def partial(store: Store, content: bytes) -> None:
    store.partial(DIGEST).parent.mkdir(parents=True, exist_ok=True)
    store.partial(DIGEST).write_bytes(content)


def test_bytes_come_once_and_are_there_afterwards(store: Store, server: Origin) -> None:
    file, heard = locked(server.put(PATH, CONTENT)), Heard()
    path = fetch(store, file, ROOT, progress=heard)
    sound(store)
    assert (path, path.read_bytes()) == (store.path(DIGEST), CONTENT)
    assert heard.tasks == {"fetch m.gguf": (len(CONTENT), len(CONTENT))} and heard.notes == []
    assert fetch(store, file, ROOT) == path and server.asked == [(PATH, None)]


def test_a_file_of_the_project_is_copied(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(CONTENT)
    path = fetch(store, locked("file:m.gguf"), tmp_path, offline=True)
    sound(store)
    assert path.stat().st_ino != (tmp_path / "m.gguf").stat().st_ino


def test_an_empty_file_is_a_file(store: Store, server: Origin) -> None:
    assert fetch(store, locked(server.put(PATH, b""), content=b""), ROOT).read_bytes() == b""


def test_a_cut_transfer_goes_on_where_it_stopped(store: Store, server: Origin) -> None:
    """At once while it gets on, and in the next command when it doesn't."""
    turns = [Answer(CONTENT, cut=700_000), Answer(CONTENT, cut=300_000), Answer(status=404)]
    file = locked(server.put(PATH, CONTENT, turn=lambda number, _: turns[number] if number < len(turns) else None))
    with pytest.raises(NetworkError, match="404"):
        fetch(store, file, ROOT)
    assert not store.has(DIGEST) and store.partial(DIGEST).stat().st_size == 1_000_000
    heard = Heard()
    fetch(store, file, ROOT, progress=heard)
    sound(store)
    assert [span for _, span in server.asked] == [None, "bytes=700000-", "bytes=1000000-", "bytes=1000000-"]
    assert heard.tasks == {"fetch m.gguf": (len(CONTENT), len(CONTENT))}


def test_a_transfer_that_ends_early_again_and_again_still_gets_on(store: Store, server: Origin) -> None:
    """Also when the end looks regular: without a length nobody can tell, and what came is kept all the same."""
    fetch(store, locked(server.put(PATH, CONTENT, cut=400_000, headers={"Content-Length": None})), ROOT)
    sound(store)
    assert len(server.asked) == 6


def test_a_transfer_that_gets_nowhere_is_given_up(store: Store, server: Origin) -> None:
    file = locked(server.put(PATH, CONTENT, cut=10, headers={"Content-Length": None}))
    with pytest.raises(NetworkError, match="the transfer ended after 50 of 2008004 bytes") as caught:
        fetch(store, file, ROOT)
    assert "again" in caught.value.hint and len(server.asked) == 5


def test_an_origin_without_ranges_sends_it_all_again(store: Store, server: Origin) -> None:
    partial(store, CONTENT[:500_000])
    heard = Heard()
    fetch(store, locked(server.put(PATH, CONTENT, ranges=False)), ROOT, progress=heard)
    sound(store)
    assert heard.tasks == {"fetch m.gguf": (len(CONTENT), len(CONTENT))}


@pytest.mark.parametrize(
    "kept",
    {
        "corrupted": b"?" + CONTENT[1:500_000],
        "corrupted and whole": CONTENT[:-1] + b"?",
        "longer than the file": CONTENT + b"?",
        "whole and good": CONTENT,
        "empty": b"",
    }.values(),
)
def test_whatever_was_kept_the_right_bytes_come_in_the_end(store: Store, server: Origin, kept: bytes) -> None:
    partial(store, kept)
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT)
    sound(store)
    assert not list(store.root.glob("quarantine/*"))
    if kept == CONTENT:
        assert server.asked == []


@pytest.mark.parametrize("resumed", [False, True])
def test_wrong_bytes_are_refused_named_and_kept(store: Store, server: Origin, resumed: bool) -> None:
    wrong = CONTENT[:-1] + b"?"
    if resumed:
        partial(store, CONTENT[:1000])
    url = server.put(PATH, wrong)
    with pytest.raises(DigestMismatch) as caught:
        fetch(store, locked(url), ROOT)
    (kept,) = store.root.glob("quarantine/*")
    lines = [line.strip() for line in caught.value.message.splitlines()]
    assert lines == [
        f"m.gguf from {url} is not what the lock names",
        f"want {DIGEST} ({len(CONTENT)} bytes)",
        f"got  {Digest.of(wrong)} ({len(wrong)} bytes)",
        f"path {kept}",
    ]
    assert kept.read_bytes() == wrong and caught.value.hint
    assert not store.has(DIGEST) and not store.partial(DIGEST).exists()
    server.put(PATH, CONTENT)
    fetch(store, locked(url), ROOT)
    sound(store)


@pytest.mark.parametrize("ranges", [False, True])
def test_a_file_of_another_size_is_refused_before_it_is_downloaded(store: Store, server: Origin, ranges: bool) -> None:
    url = server.put(PATH, CONTENT + bytes(50 << 20), ranges=ranges)
    with pytest.raises(DigestMismatch, match=rf"not the {len(CONTENT)} of m\.gguf \({DIGEST}\)"):
        fetch(store, locked(url), ROOT)
    assert server.sent < 20 << 20


def test_an_origin_that_never_ends_is_left(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT + bytes(50 << 20), headers={"Content-Length": None})
    with pytest.raises(DigestMismatch, match=f"got  more than {len(CONTENT)} bytes"):
        fetch(store, locked(url), ROOT)
    assert server.sent < 20 << 20


def test_urls_are_tried_in_turn(store: Store, server: Origin) -> None:
    heard, bad = Heard(), server.put("/none.gguf", status=404)
    fetch(store, locked(bad, server.put(PATH, CONTENT)), ROOT, progress=heard)
    sound(store)
    assert len(heard.notes) == 1 and "404" in heard.notes[0] and "trying http" in heard.notes[0]
    store.path(DIGEST).unlink()
    with pytest.raises(NetworkError, match="404"):
        fetch(store, locked(bad, bad), ROOT)


def test_offline_asks_this_machine_alone(store: Store, server: Origin, tmp_path: Path) -> None:
    url = server.put(PATH, CONTENT)
    with pytest.raises(NetworkError, match="is not in the store") as caught:
        fetch(store, locked(url), ROOT, offline=True)
    assert "without --offline" in caught.value.hint and server.asked == []
    (tmp_path / "m.gguf").write_bytes(CONTENT)
    fetch(store, locked(url, "file:m.gguf"), tmp_path, offline=True)
    assert server.asked == []
    assert fetch(store, locked(url), ROOT, offline=True) == store.path(DIGEST)  # it is there already


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_too_little_space_is_told_before_and_what_is_kept_counts(
    store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = (64 << 20) + len(CONTENT) // 2
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    file = locked(server.put(PATH, CONTENT))
    with pytest.raises(UsageError, match="64 MiB free, 65 MiB are needed") as caught:
        fetch(store, file, ROOT)
    assert "ASSAY_STORE" in caught.value.hint and server.asked == []
    partial(store, CONTENT[: len(CONTENT) // 2 + 1])
    fetch(store, file, ROOT)
    sound(store)


def test_a_disk_that_fills_up_is_no_bug_and_no_reason_to_ask_others(store: Store, server: Origin) -> None:
    """The kernel refuses to let files grow over half of this one."""
    first, second = server.put(PATH, CONTENT), server.put("/other.gguf", CONTENT)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({len(CONTENT) // 2},) * 2)\n"
    done = run(limit + FETCH.replace("urls=(sys.argv[2],)", f"urls=(sys.argv[2], {second!r})"), store, first)
    assert done.returncode and "pipeline.store.partial.Full: can't write" in done.stderr and "too large" in done.stderr
    assert [path for path, _ in server.asked] == [PATH]
    fetch(store, locked(first), ROOT)
    sound(store)


FETCH = """
import sys
from pathlib import Path
from pipeline.lock.model import LockedFile
from pipeline.store.fetch import fetch
from pipeline.store.layout import Store
from pipeline.store.partial import journal_of
file = LockedFile(role="weights", path="m.gguf", size=int(sys.argv[3]), sha256=sys.argv[4], urls=(sys.argv[2],), known="spec")
print(fetch(Store(Path(sys.argv[1])), file, Path("/nowhere")))
"""


def run(script: str, store: Store, url: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", script, str(store.root), url, str(len(CONTENT)), str(DIGEST)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def test_two_processes_that_want_the_same_blob_fetch_it_once(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT, pause=0.01)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FETCH, str(store.root), url, str(len(CONTENT)), str(DIGEST)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    assert [(process.communicate()[0].strip(), process.returncode) for process in both] == [
        (str(store.path(DIGEST)), 0)
    ] * 2
    sound(store)
    assert server.asked == [(PATH, None)]


def test_who_waits_for_another_says_so(store: Store, server: Origin) -> None:
    file, heard = locked(server.put(PATH, CONTENT)), Heard()
    with store.lock(DIGEST.hex):
        waiting = threading.Thread(target=fetch, args=(store, file, ROOT), kwargs={"progress": heard})
        waiting.start()
        until(lambda: heard.notes)
    waiting.join()
    assert heard.notes == ["m.gguf: another process fetches it; waiting"]
    sound(store)


def test_a_digest_is_learnt_from_the_bytes_which_are_kept(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT)
    assert learn(store, url, len(CONTENT), ROOT) == DIGEST
    sound(store)
    assert learn(store, url, len(CONTENT), ROOT) == DIGEST  # again: the same, and nothing is left over
    sound(store)


def test_learning_never_joins_parts_of_two_files(store: Store, server: Origin) -> None:
    url = server.put(PATH, b"?" * len(CONTENT), cut=500_000)
    with pytest.raises(NetworkError):
        learn(store, url, len(CONTENT), ROOT)
    server.put(PATH, CONTENT)
    assert learn(store, url, len(CONTENT), ROOT) == DIGEST
    sound(store)
    assert [span for _, span in server.asked] == [None, None]


def test_learning_refuses_other_sizes(store: Store, server: Origin) -> None:
    with pytest.raises(DigestMismatch, match="has 2008004 bytes, not the 5 of a moment ago"):
        learn(store, server.put(PATH, CONTENT), 5, ROOT)
    url = server.put(PATH, CONTENT, cut=1000, headers={"Content-Length": None})
    with pytest.raises(NetworkError, match=f"ended after 1000 of {len(CONTENT)} bytes"):
        learn(store, url, len(CONTENT), ROOT)
    assert not store.has(DIGEST)


def test_links_that_somebody_planted_lead_nowhere(store: Store, server: Origin, tmp_path: Path) -> None:
    """At every name that a fetch writes to; also one to the right bytes is no blob, for its owner may change them."""
    victim, twin = tmp_path / "victim", tmp_path / "twin"
    victim.write_bytes(b"precious")
    twin.write_bytes(CONTENT)
    partial = store.partial(DIGEST)
    lock = store.root / "locks" / DIGEST.hex
    for path in (store.path(DIGEST), partial, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
    store.path(DIGEST).symlink_to(twin)
    for path in (store.receipt_path(DIGEST), partial, journal_of(partial), lock):
        path.symlink_to(victim)
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT)
    assert victim.read_bytes() == b"precious" and not store.path(DIGEST).is_symlink() and len(server.asked) == 1
    journal_of(partial).unlink(missing_ok=True)
    sound(store)
    assert store.path(DIGEST).stat().st_ino != twin.stat().st_ino
