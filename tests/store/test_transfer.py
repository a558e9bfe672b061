"""Fetching in parallel ranges from origins that behave, break, refuse and lie. Pieces are small here, so that a small file has many."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core import http
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, NetworkError, UsageError
from pipeline.lock.model import LockedFile
from pipeline.spec.sources import _web
from pipeline.store import fetch as fetching
from pipeline.store import transfer
from pipeline.store.fetch import fetch
from pipeline.store.layout import Store
from pipeline.store.partial import Partial, journal_of
from pipeline.store.spans import Spans
from tests.origin import Answer, Origin, origin
from tests.projects import until
from tests.store.heard import Heard

KB = 1 << 10
CONTENT = b"GGUF" + random.Random(7).randbytes(3_000_000)
WRONG = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
SIZE, DIGEST = len(CONTENT), Digest.of(CONTENT)
PATH = "/m.gguf"
ROOT = Path(__file__).parents[2]
SMALL, MOST, LEAST = 100 * KB, 256 * KB, 64 * KB


@pytest.fixture(scope="module")
def another() -> Iterator[Origin]:
    with origin() as running:
        yield running


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SMALL", SMALL)
    monkeypatch.setattr(transfer, "_MOST", MOST)
    monkeypatch.setattr(transfer, "_LEAST", LEAST)
    monkeypatch.setattr(transfer, "_PROGRESS", 4 * KB)


def locked(*urls: str) -> LockedFile:
    return LockedFile(role="weights", path="m.gguf", size=SIZE, sha256=str(DIGEST), urls=urls, known="spec")


def sound(store: Store) -> None:
    """The blob is there, whole and read-only, with all leaves; nothing else is."""
    path, receipt = store.path(DIGEST), store.receipt(DIGEST)
    assert path.read_bytes() == CONTENT and path.stat().st_mode & 0o777 == 0o444
    assert receipt is not None and receipt.leaves == (DIGEST.hex,)
    assert not list(store.root.glob("partial/*")) and not list(store.root.glob("quarantine/*"))
    assert sorted(store.root.glob("blobs/sha256/*/*")) == [path, store.receipt_path(DIGEST)]


def nothing(store: Store) -> None:
    """No blob is there."""
    assert not list(store.root.glob("blobs/sha256/*/*"))


def keep(store: Store, *ranges: tuple[int, int], content: bytes = CONTENT) -> None:
    """Leave what an interrupted fetch leaves that had come so far."""
    partial = Partial(store.partial(DIGEST), DIGEST, SIZE, journaled=True)
    descriptor = partial.descriptor()
    for start, end in ranges:
        partial.write(descriptor, content[start:end], start)
        partial.record(start, end)
    os.close(descriptor)
    partial.close()


def kept(store: Store) -> list[tuple[int, int]]:
    """Return which ranges a next fetch would find."""
    partial = Partial(store.partial(DIGEST), DIGEST, SIZE, journaled=True)
    partial.close()
    return list(partial.spans)


def spans(server: Origin) -> list[tuple[int, int]]:
    """Return the ranges asked for, ends exclusive."""
    found = [re.fullmatch(r"bytes=(\d+)-(\d*)", span or "bytes=0-") for _, span in server.asked]
    return sorted((int(one[1]), int(one[2] or SIZE - 1) + 1) for one in found if one)


def test_pieces_come_over_several_connections_and_each_byte_once(store: Store, server: Origin) -> None:
    heard = Heard()
    fetch(store, locked(server.put(PATH, CONTENT, rate=4_000_000)), ROOT, progress=heard)
    sound(store)
    asked = spans(server)
    assert asked[0][0] == 0 and asked[-1][1] == SIZE
    assert all(one[1] == other[0] for one, other in itertools.pairwise(asked))
    assert max(end - start for start, end in asked) <= MOST and server.sent == SIZE
    assert 4 <= server.busiest <= _web.PARALLEL
    assert heard.tasks == {"fetch m.gguf": (SIZE, SIZE)} and heard.notes == []


def test_connections_are_added_up_to_what_the_origin_is_good_for(
    store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.adapt._PERIOD", 0.05)
    monkeypatch.setattr("pipeline.store.adapt._ENOUGH", 10 * KB)
    monkeypatch.setattr("pipeline.store.adapt._GAIN", 0)
    monkeypatch.setattr(_web.WebFile, "parallel", 7)
    fetch(store, locked(server.put(PATH, CONTENT, rate=400_000)), ROOT)
    sound(store)
    assert server.busiest == 7


def test_only_what_is_missing_is_asked_for(store: Store, server: Origin) -> None:
    keep(store, (0, 500_000), (1_000_000, 1_000_001), (2_000_000, SIZE))
    heard = Heard()
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT, progress=heard)
    sound(store)
    asked = spans(server)
    assert {byte for start, end in asked for byte in (start, end)} >= {500_000, 1_000_000, 1_000_001, 2_000_000}
    assert server.sent == sum(end - start for start, end in asked) == 1_500_000 - 1
    assert heard.tasks == {"fetch m.gguf": (SIZE, SIZE)}


def test_all_there_but_the_name_asks_for_nothing(store: Store, server: Origin) -> None:
    keep(store, (0, SIZE))
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT)
    sound(store)
    assert server.asked == []


def test_kept_bytes_that_are_bad_cost_a_second_go_and_nothing_else(store: Store, server: Origin) -> None:
    keep(store, (0, 1_000_000), content=b"?" + CONTENT[1:])
    heard = Heard()
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT, progress=heard)
    sound(store)
    assert server.sent == SIZE - 1_000_000 + SIZE and heard.tasks == {"fetch m.gguf": (SIZE, SIZE)}


@pytest.mark.parametrize("resumed", [False, True])
def test_an_origin_that_ignores_ranges_is_read_from_the_start_on_one_connection(
    store: Store, server: Origin, resumed: bool
) -> None:
    if resumed:
        keep(store, (0, 700_000), (1_000_000, 1_100_000), content=WRONG)
    fetch(store, locked(server.put(PATH, CONTENT, ranges=False)), ROOT)
    sound(store)
    assert server.asked[-1] == (PATH, None)


def test_an_origin_that_ignores_ranges_and_breaks_off_is_given_up_some_day(store: Store, server: Origin) -> None:
    with pytest.raises(NetworkError, match="again and again, and this origin always begins from the start"):
        fetch(store, locked(server.put(PATH, CONTENT, ranges=False, cut=1_000_000)), ROOT)
    nothing(store)
    server.put(PATH, CONTENT)
    fetch(store, locked(f"http://127.0.0.1:{server.server_port}{PATH}"), ROOT)
    sound(store)


def test_an_origin_that_loses_its_ranges_midway(store: Store, server: Origin) -> None:
    """Behind one address may be two machines, of which one ignores ranges."""
    plain = Answer(CONTENT, ranges=False)
    fetch(store, locked(server.put(PATH, CONTENT, turn=lambda number, _: plain if number % 7 == 6 else None)), ROOT)
    sound(store)


def test_broken_pieces_go_on_where_they_broke(store: Store, server: Origin) -> None:
    cut = Answer(CONTENT, cut=50_000)
    fetch(store, locked(server.put(PATH, CONTENT, turn=lambda number, _: cut if number % 2 == 0 else None)), ROOT)
    sound(store)
    assert server.sent == SIZE


def test_less_than_was_asked_for_is_a_part(store: Store, server: Origin) -> None:
    """A 206 may be shorter than the range; what it says it has counts."""

    def short(number: int, span: str | None) -> Answer | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", span or "")
        if not found or int(found[2]) - int(found[1]) < 50_000:
            return None
        start, end = int(found[1]), int(found[1]) + 40_000
        said = {"Content-Range": f"bytes {start}-{end - 1}/{SIZE}"}
        return Answer(CONTENT[start:end], status=206, headers={**said})

    fetch(store, locked(server.put(PATH, turn=short, content=CONTENT)), ROOT)
    sound(store)


LIES = {
    "another start": ("bytes {other}-{last}/{size}", "asked for bytes from"),
    "beyond the end asked for": ("bytes {start}-{beyond}/{size}", "asked for bytes from"),
    "no range at all": ("yes", "asked for bytes from"),
    "another total": ("bytes {start}-{last}/{grown}", "bytes, not the"),
}


@pytest.mark.parametrize("lie", LIES)
def test_only_the_very_range_is_trusted(store: Store, server: Origin, lie: str) -> None:
    """From the second piece on the origin lies about what it sends; the bytes themselves are zeros."""
    form, said = LIES[lie]

    def turn(number: int, span: str | None) -> Answer | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", span or "")
        if number == 0 or not found:
            return None
        start, last = int(found[1]), int(found[2])
        told = form.format(start=start, other=start + 1, last=last, beyond=last + 1, size=SIZE, grown=SIZE + 1)
        return Answer(bytes(last + 1 - start), status=206, headers={"Content-Range": told})

    with pytest.raises((NetworkError, DigestMismatch), match=said):
        fetch(store, locked(server.put(PATH, CONTENT, turn=turn)), ROOT)
    nothing(store)
    content = store.partial(DIGEST).read_bytes() if store.partial(DIGEST).exists() else b""
    assert all(content[start:end] == CONTENT[start:end] for start, end in kept(store)), "nothing of the lies is kept"
    server.put(PATH, CONTENT)
    fetch(store, locked(f"http://127.0.0.1:{server.server_port}{PATH}"), ROOT)
    sound(store)


@pytest.mark.parametrize("shorter", [True, False])
def test_a_file_that_becomes_another_midway_is_told(store: Store, server: Origin, shorter: bool) -> None:
    now = Answer(CONTENT[:400_000] if shorter else CONTENT + b"more")
    url = server.put(PATH, CONTENT, turn=lambda number, _: now if number > 1 else None)
    with pytest.raises(DigestMismatch, match=f"has {now.size} bytes, not the {SIZE} of m.gguf") as caught:
        fetch(store, locked(url), ROOT)
    assert "it is another file now" in caught.value.hint
    nothing(store)


def test_a_file_of_the_same_size_that_changes_midway_is_found(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT, turn=lambda number, _: Answer(WRONG) if number > 1 else None)
    with pytest.raises(DigestMismatch, match="is not what the lock names"):
        fetch(store, locked(url), ROOT)
    nothing(store)
    assert len(list(store.root.glob("quarantine/*"))) == 1 and not list(store.root.glob("partial/*"))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_gets_fewer_connections(
    store: Store, server: Origin, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes two connections at a time, no more."""
    monkeypatch.setattr("pipeline.store.adapt._BURST", 0.05)

    def turn(number: int, span: str | None) -> Answer | None:
        return Answer(status=status, headers={"Retry-After": "0"}) if server.busy >= 2 else None

    fetch(store, locked(server.put(PATH, CONTENT, turn=turn, rate=2_000_000)), ROOT)
    sound(store)


def test_a_server_that_stays_busy_is_given_up(store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.adapt._BURST", 0.05)
    with pytest.raises(NetworkError, match="429") as caught:
        fetch(store, locked(server.put(PATH, status=429, headers={"Retry-After": "0"})), ROOT)
    assert caught.value.transient and len(server.asked) < 100


def test_errors_of_the_server_are_tried_again(store: Store, server: Origin) -> None:
    bad = Answer(status=502)
    fetch(store, locked(server.put(PATH, CONTENT, turn=lambda number, _: bad if number % 3 == 0 else None)), ROOT)
    sound(store)


def test_signed_addresses_that_expire_midway_are_asked_for_again(store: Store, server: Origin, another: Origin) -> None:
    """The hub sends to another host, whose addresses each work for four requests."""
    lock, issued, uses = threading.Lock(), [0], dict[str, int]()
    another.answers.clear()
    another.asked.clear()

    def issue(number: int, span: str | None) -> Answer:
        with lock:
            issued[0] += 1
            path = f"/signed-{issued[0]}"

        def use(number: int, span: str | None) -> Answer | None:
            with lock:
                uses[path] = uses.get(path, 0) + 1
                return Answer(status=403) if uses[path] > 4 else None

        signed = another.put(path, CONTENT, turn=use)
        return Answer(status=302, headers={"Location": f"{signed}"})

    fetch(store, locked(server.put(PATH, turn=issue)), ROOT)
    sound(store)
    assert issued[0] > 1 and another.sent >= SIZE


def test_mirrors_in_turn_until_one_is_good(store: Store, server: Origin) -> None:
    """Bad bytes at one are no reason not to ask the next."""
    first = server.put("/first.gguf", WRONG)
    second = server.put("/second.gguf", CONTENT[:-5])
    third = server.put("/third.gguf", status=404)
    heard = Heard()
    fetch(store, locked(first, second, third, server.put(PATH, CONTENT)), ROOT, progress=heard)
    assert store.path(DIGEST).read_bytes() == CONTENT and len(list(store.root.glob("quarantine/*"))) == 1
    assert [note.rpartition("; trying ")[2] for note in heard.notes] == [
        f"http://127.0.0.1:{server.server_port}/{name}.gguf" for name in ("second", "third", "m")
    ]


def test_when_no_mirror_is_good_each_ones_failure_is_told(store: Store, server: Origin) -> None:
    urls = [server.put("/gone", status=404), server.put("/wrong", WRONG), server.put("/short", CONTENT[:-5])]
    with pytest.raises(DigestMismatch) as caught:
        fetch(store, locked(*urls), ROOT)
    said = caught.value.message
    assert "/gone: 404" in said and "/wrong is not what the lock names" in said and f"want {DIGEST}" in said
    assert f"/short has {SIZE - 5} bytes, not the {SIZE} of" in said
    nothing(store)
    with pytest.raises(NetworkError, match=r"(?s)/gone: 404.*/closed: 403"):
        fetch(store, locked(urls[0], server.put("/closed", status=403)), ROOT)


def test_what_one_mirror_sent_is_not_held_against_the_next(store: Store, server: Origin) -> None:
    """The first sends wrong bytes and breaks off; the second is good, but not together with those."""
    bad = [Answer(WRONG[:500_000] + b"!" + WRONG[500_001:], cut=200_000), Answer(status=404)]
    first = server.put("/first.gguf", WRONG, turn=lambda number, _: bad[number > 3])
    fetch(store, locked(first, server.put(PATH, CONTENT)), ROOT)
    sound(store)


PAGE = b"<!DOCTYPE html><html><title>Log in</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize 5\n" % DIGEST.hex.encode()


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize(("body", "said"), [(PAGE, "an HTML page came"), (POINTER, "a Git LFS pointer came")])
def test_what_is_no_model_is_called_by_its_name(
    store: Store, server: Origin, body: bytes, said: str, sized: bool
) -> None:
    headers = {} if sized else {"Content-Length": None}
    url = server.put(PATH, body, ranges=False, headers=headers)
    with pytest.raises((DigestMismatch, NetworkError), match=said):
        fetch(store, locked(url), ROOT)
    padded = server.put("/padded.gguf", body.ljust(SIZE))
    with pytest.raises(DigestMismatch, match=said):
        fetch(store, locked(padded), ROOT)
    nothing(store)


def test_a_compressed_body_is_refused(store: Store, server: Origin) -> None:
    with pytest.raises(NetworkError, match="compressed"):
        fetch(store, locked(server.put(PATH, CONTENT, headers={"Content-Encoding": "gzip"})), ROOT)
    nothing(store)


@pytest.mark.parametrize("announced", [SIZE - 100, SIZE + 100])
def test_a_wrong_length_is_refused(store: Store, server: Origin, announced: int) -> None:
    url = server.put(PATH, CONTENT, ranges=False, headers={"Content-Length": str(announced)})
    with pytest.raises(DigestMismatch, match=f"has {announced} bytes"):
        fetch(store, locked(url), ROOT)
    nothing(store)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://10.0.0.1/m.gguf", "https://192.168.1.1/m.gguf", "/m.gguf"]
)
def test_redirects_lead_nowhere_they_may_not(store: Store, server: Origin, location: str) -> None:
    with pytest.raises(NetworkError, match=r"not allowed|more than 5 redirects"):
        fetch(store, locked(server.put(PATH, status=302, headers={"Location": location})), ROOT)
    nothing(store)


def test_a_server_that_falls_silent_is_left_for_another_try(
    store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_READ_SECONDS", 0.3)
    silent = Answer(CONTENT, delay=2.0)
    fetch(store, locked(server.put(PATH, CONTENT, turn=lambda number, _: silent if number == 1 else None)), ROOT)
    sound(store)


def test_a_server_that_only_drips_is_given_up(store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_web, "_PER_SECONDS", 0.2)
    monkeypatch.setattr(_web, "_LEAST_BYTES", 100 * KB)
    monkeypatch.setattr(transfer, "_PROGRESS", SIZE)
    with pytest.raises(NetworkError, match="bytes came in") as caught:
        fetch(store, locked(server.put(PATH, CONTENT, pause=0.3)), ROOT)
    assert caught.value.transient
    nothing(store)


def test_the_rate_is_kept_to_over_all_connections(store: Store, server: Origin) -> None:
    began = time.monotonic()
    fetch(store, locked(server.put(PATH, CONTENT)), ROOT, limit_rate=3_000_000)
    assert time.monotonic() - began > 0.9
    sound(store)


SCRIPT = f"""
import signal, sys
from pathlib import Path
from pipeline.store import fetch, transfer
from pipeline.core.errors import AssayError
from pipeline.lock.model import LockedFile
from pipeline.store.layout import Store
fetch.SMALL, transfer._MOST, transfer._LEAST, transfer._OFTEN = {SMALL}, {MOST}, {LEAST // 4}, 0.02
file = LockedFile(role="weights", path="m.gguf", size={SIZE}, sha256="{DIGEST}", urls=(sys.argv[2],), known="spec")
try:
    print(fetch.fetch(Store(Path(sys.argv[1])), file, Path("/nowhere")), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def started(store: Store, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(store.root), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_an_interrupt_ends_it_soon_also_while_the_server_is_silent(store: Store, server: Origin) -> None:
    silent = Answer(CONTENT, delay=20.0)
    url = server.put(PATH, CONTENT, turn=lambda number, _: silent if number > 5 else None)
    process = started(store, url)
    until(lambda: len(server.asked) > 8)
    began = time.monotonic()
    process.send_signal(2)
    out, err = process.communicate(timeout=15)
    assert (out, err) == ("interrupted\n", "") and time.monotonic() - began < 10
    before = sum(end - start for start, end in kept(store))
    assert before > 0
    server.put(PATH, CONTENT)
    server.sent = 0
    fetch(store, locked(url), ROOT)
    sound(store)
    assert server.sent == SIZE - before


def test_killed_at_any_point_it_goes_on(store: Store, server: Origin) -> None:
    """kill -9 a few times at places in the work, then see that the bytes kept are right and are not asked for again."""
    chance, url = random.Random(3), server.put(PATH, CONTENT, rate=600_000)
    for _ in range(6):
        process = started(store, url)
        floor = sum(end - start for start, end in kept(store)) if store.partial(DIGEST).exists() else 0
        goal = floor + chance.randint(0, 400_000)
        until(lambda process=process, goal=goal: process.poll() is not None or journaled(store) >= goal)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.communicate()
        nothing(store)
        content = store.partial(DIGEST).read_bytes() if store.partial(DIGEST).exists() else b""
        for start, end in kept(store):
            assert content[start:end] == CONTENT[start:end]
    before = sum(end - start for start, end in kept(store))
    assert before > 0
    server.put(PATH, CONTENT)
    server.sent = 0
    until(lambda: server.busy == 0)
    fetch(store, locked(url), ROOT)
    sound(store)
    assert server.sent == SIZE - before


def journaled(store: Store) -> int:
    """Return how many bytes a running fetch says are there."""
    try:
        lines = journal_of(store.partial(DIGEST)).read_text().splitlines()[1:]
    except FileNotFoundError:
        return 0
    return sum(int(end) - int(start) for start, end in (line.split(" ") for line in lines if " " in line))


def test_two_processes_that_want_the_same_blob_fetch_it_once(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT, rate=2_000_000)
    both = [started(store, url) for _ in range(2)]
    assert [process.communicate(timeout=60) for process in both] == [(f"{store.path(DIGEST)}\n", "")] * 2
    sound(store)
    assert server.sent == SIZE


def test_who_waits_goes_on_where_a_killed_one_stopped(store: Store, server: Origin) -> None:
    url = server.put(PATH, CONTENT, rate=400_000)
    first = started(store, url)
    until(lambda: journaled(store) > 200_000)
    second = started(store, url)
    until(lambda: journaled(store) > 900_000)
    first.kill()
    first.communicate()
    until(lambda: journal_of(store.partial(DIGEST)).exists())
    lines = journal_of(store.partial(DIGEST)).read_text().splitlines()[1:]
    there = Spans((int(line.partition(" ")[0]), int(line.partition(" ")[2])) for line in lines)
    before = len(server.asked)
    assert second.communicate(timeout=60) == (f"{store.path(DIGEST)}\n", "")
    sound(store)
    del server.asked[:before]
    asked = Spans(spans(server))
    assert there.total >= 900_000 and asked.total + there.total == Spans([*asked, *there]).total, (
        "none was asked for twice"
    )


def test_a_full_disk_leaves_what_can_go_on(store: Store, server: Origin, tmp_path: Path) -> None:
    """A real one, of two megabytes."""
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", tmp_path], check=False).returncode
    ):
        pytest.skip("only root mounts a small disk: NOTHING is known about a full one")
    try:
        url = server.put(PATH, CONTENT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fetching, "check_space", lambda store, files: None)
            with pytest.raises(UsageError, match="No space left on device") as caught:
                fetch(store, locked(url), ROOT)
        assert "free some space" in caught.value.hint
        nothing(store)
        assert sum(end - start for start, end in kept(store)) > 0
        subprocess.run(["mount", "-o", "remount,size=200m", tmp_path], check=True)
        fetch(store, locked(url), ROOT)
        sound(store)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
