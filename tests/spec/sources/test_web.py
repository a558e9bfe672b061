from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources import _web
from pipeline.spec.sources._web import WebFile
from tests.origin import Answer, Origin, origin

CONTENT = bytes(range(256)) * 1000
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def hub() -> Iterator[Origin]:
    with origin() as running:
        yield running


@pytest.fixture(scope="module")
def away() -> Iterator[Origin]:
    with origin() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(hub: Origin, away: Origin) -> None:
    for server in (hub, away):
        server.forget()


def read(file: WebFile, start: int = 0, end: int | None = None) -> tuple[int, int | None, bytes]:
    with file.read(start, end) as stream:
        return stream.start, stream.size, b"".join(stream.chunks)


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [(0, None, None), (0, 10, "bytes=0-9"), (5, 10, "bytes=5-9"), (SIZE - 5, None, f"bytes={SIZE - 5}-")],
)
def test_ranges(hub: Origin, start: int, end: int | None, asked: str | None) -> None:
    url = hub.put("/f", CONTENT)
    assert read(WebFile(url), start, end) == (start, SIZE, CONTENT[start:end])
    assert hub.asked == [("/f", asked)]


def test_an_origin_without_ranges_is_read_from_the_start(hub: Origin) -> None:
    assert read(WebFile(hub.put("/f", CONTENT, ranges=False)), 5, 10) == (0, SIZE, CONTENT)
    unsized = hub.put("/g", CONTENT, ranges=False, headers={"Content-Length": None})
    assert read(WebFile(unsized), 5) == (0, None, CONTENT)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "bytes",
        "bytes 6-9/100",
        "bytes 5-10/100",
        "bytes 5-4/100",
        "bytes 5-9",
        "bytes 5-9/",
        "bytes */100",
        "bytes 5-9/-1",
        "octets 5-9/100",
        "bytes 5-9/100, bytes 20-30/100",
        "bytes 5-9/" + "9" * 30,
        "bytes ٥-9/100",
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_refused(hub: Origin, said: str | None) -> None:
    headers = {"Content-Range": said.encode().decode("latin-1") if said is not None else None}
    url = hub.put("/f", b"12345", status=206, headers=headers)
    with pytest.raises(NetworkError, match=r"asked for bytes from 5, the origin sent"), WebFile(url).read(5, 10):
        pytest.fail("it was taken")


def test_a_part_may_be_shorter_and_its_total_unknown(hub: Origin) -> None:
    url = hub.put("/f", b"123", status=206, headers={"Content-Range": "bytes 5-7/*"})
    assert read(WebFile(url), 5, 10) == (5, None, b"123")


def test_where_it_leads_is_remembered_until_that_place_refuses(hub: Origin, away: Origin) -> None:
    signed = away.put("/signed-1", CONTENT)
    file = WebFile(hub.put("/f", status=302, headers={"Location": signed}))
    for _ in range(3):
        assert read(file, 5, 10)[2] == CONTENT[5:10]
    assert len(hub.asked) == 1
    away.put("/signed-1", status=403)
    hub.put("/f", status=302, headers={"Location": away.put("/signed-2", CONTENT)})
    assert read(file, 5, 10)[2] == CONTENT[5:10] and len(hub.asked) == 2
    away.put("/signed-2", status=503)
    with pytest.raises(NetworkError, match="503") as caught:
        read(file, 5, 10)
    assert len(hub.asked) == 2 and caught.value.transient and "signed" not in caught.value.message


def test_a_place_that_refuses_at_once_is_asked_for_once(hub: Origin, away: Origin) -> None:
    file = WebFile(hub.put("/f", status=302, headers={"Location": away.put("/signed", status=403)}))
    with pytest.raises(NetworkError, match="/f: 403"):
        read(file)
    assert len(hub.asked) == len(away.asked) == 1


def test_authorization_is_asked_for_each_time_and_stays_at_home(hub: Origin, away: Origin) -> None:
    signed = away.put("/signed", CONTENT)
    tokens = iter(["Bearer one", "Bearer two"])
    file = WebFile(hub.put("/f", status=302, headers={"Location": signed}), lambda: next(tokens))
    read(file)
    read(file)
    away.put("/signed", status=410)
    hub.put("/f", status=302, headers={"Location": away.put("/signed-2", CONTENT)})
    read(file)
    assert hub.credentials == ["Bearer one", "Bearer two"] and set(away.credentials) == {None}


def test_a_redirect_within_a_host_is_asked_for_each_time(hub: Origin) -> None:
    hub.put("/there", CONTENT)
    file = WebFile(hub.put("/f", status=307, headers={"Location": "/there"}))
    assert [read(file, 1, 3)[2] for _ in range(2)] == [CONTENT[1:3]] * 2
    assert [path for path, _ in hub.asked] == ["/f", "/there"] * 2


def test_threads_share_a_file(hub: Origin, away: Origin) -> None:
    """Each address works for two requests; all threads get their bytes all the same."""
    lock, number, uses = threading.Lock(), [0], dict[int, int]()

    def issue(_: int, span: str | None) -> Answer:
        with lock:
            number[0] += 1
            mine = number[0]

        def use(_: int, span: str | None) -> Answer | None:
            with lock:
                uses[mine] = uses.get(mine, 0) + 1
                return Answer(status=403) if uses[mine] > 2 else None

        return Answer(status=302, headers={"Location": away.put(f"/{mine}", CONTENT, turn=use)})

    file, found = WebFile(hub.put("/f", turn=issue)), dict[int, bytes]()

    def work(at: int) -> None:
        found[at] = read(file, at, at + 100)[2]

    threads = [threading.Thread(target=work, args=(at,)) for at in range(0, 2000, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(found[at] for at in sorted(found)) == CONTENT[:2000]


def test_one_that_only_drips_is_given_up_and_the_readers_own_time_is_not_counted(
    hub: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_web, "_PER_SECONDS", 0.3)
    monkeypatch.setattr(_web, "_LEAST_BYTES", 1 << 20)
    with pytest.raises(NetworkError, match="bytes came in") as caught:
        read(WebFile(hub.put("/f", CONTENT, pause=0.2)))
    assert caught.value.transient
    with WebFile(hub.put("/f", CONTENT)).read() as stream:
        got = 0
        for chunk in stream.chunks:
            got += len(chunk)
            time.sleep(0.1)
    assert got == SIZE


@pytest.mark.parametrize("url", ["http://example.org/x", "https://u:p@example.org/x", "ftp://127.0.0.1/x"])
def test_urls_that_may_not_be_opened(url: str) -> None:
    with pytest.raises(UsageError):
        WebFile(url)
