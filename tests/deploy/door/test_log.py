from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

from pipeline.deploy.door.log import AccessLog, Entry
from tests.deploy.door.conftest import Open
from tests.deploy.door.scripted import scripted, whole


def test_a_line_is_json_whatever_a_client_sends(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "deep" / "log")
    log.write(Entry("1", "127.0.0.1", path='/a"\n{"caller": "root"}\x1b[31m', status=404, wait=0.0))
    log.close()
    (line,) = log.path.read_text().splitlines()
    told = json.loads(line)
    assert told["path"].endswith("\x1b[31m") and told["status"] == 404 and told["wait"] == 0.0
    assert "caller" not in told and "first" not in told and line.isprintable()
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_it_keeps_within_its_size(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", largest=1000)
    for number in range(100):
        log.write(Entry(str(number), "127.0.0.1"))
    log.close()
    both = [tmp_path / "log", tmp_path / "log.1"]
    assert sorted(tmp_path.iterdir()) == both and all(0 < path.stat().st_size <= 1000 for path in both)
    assert json.loads(both[0].read_text().splitlines()[-1])["id"] == "99" and log.lost == 0


def test_a_full_disk_loses_lines_and_counts_them(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._handle)
    log.write(Entry("1", "127.0.0.1"))
    os.close(full)
    log.close()
    assert log.lost == 1


def test_a_disk_that_was_full_leaves_no_half_line_and_no_gap_afterwards(tmp_path: Path) -> None:
    """The limit of a process on the size of its files breaks writes off as a full disk does."""
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = AccessLog(tmp_path / "log")
    log.write(Entry("first", "127.0.0.1"))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + 20, limits[1]))
        for _ in range(3):
            log.write(Entry("lost", "127.0.0.1"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    log.write(Entry("last", "127.0.0.1"))
    log.close()
    assert [json.loads(line)["id"] for line in log.path.read_text().splitlines()] == ["first", "last"]
    assert log.lost == 3


def test_a_new_file_that_could_not_be_made_is_made_later(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", largest=200)
    for number in range(3):
        log.write(Entry(str(number), "127.0.0.1"))
    log.path.unlink()
    log.path.mkdir()  # in the way of the new one, and can't become NAME.1
    lost = log.lost
    for _ in range(3):
        log.write(Entry("lost", "127.0.0.1"))
    assert log.lost > lost
    log.path.rmdir()
    log.write(Entry("last", "127.0.0.1"))
    log.close()
    assert json.loads(log.path.read_text())["id"] == "last"


def test_prompts_stand_in_it_only_when_asked_for(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: client.sendall(whole(b"{}"))) as engine:
        front = door(engine, bodies=True)
        front.client.post("/v1/completions", json={"prompt": "Xyzzy"})
    assert json.loads(front.entry("Xyzzy")["body"]) == {"prompt": "Xyzzy"}
