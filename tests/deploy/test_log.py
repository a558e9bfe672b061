from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.canonical import canonical_bytes, digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import DeployError
from pipeline.deploy.history import standing
from pipeline.deploy.live import drift_of_files
from pipeline.deploy.log import START, Event, append, mark, read

EVENT = Event("small", "deploy", "local", "sha256:" + "a" * 64, reason="for a test")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of six lines on two deployments."""
    path = tmp_path / "deployments.jsonl"
    for number in range(6):
        append(path, replace(EVENT, name=("small", "other")[number % 2], reason=f"event {number}"), NOW)
    return path


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def write(path: Path, content: list[bytes]) -> None:
    path.write_bytes(b"".join(content))


def forged(line: bytes, **changes: object) -> bytes:
    """Return a line with another event and a digest that covers it."""
    content = json.loads(line)
    content["event"] |= changes
    content["digest"] = str(digest_of({key: value for key, value in content.items() if key != "digest"}))
    return canonical_bytes(content) + b"\n"


def test_lines_are_chained(log: Path) -> None:
    known = read(log).require()
    assert [line.number for line in known.lines] == [1, 2, 3, 4, 5, 6]
    assert [line.before for line in known.lines] == [START, *(line.digest for line in known.lines[:-1])]
    small = known.of("small")
    assert [line.event.previous for line in small] == [None, small[0].digest, small[1].digest]
    assert known.names() == ["other", "small"] and known.head == known.lines[-1].digest
    assert all(canonical_bytes(json.loads(line)) + b"\n" == line for line in lines(log))


def test_an_event_comes_back_as_it_was(tmp_path: Path) -> None:
    event = replace(
        EVENT,
        actor={"uid": 1, "user": "ann", "commit": None},
        weights=("sha256:" + "b" * 64,),
        argv=("--model", "ü"),
        decision={"id": "x", "digest": "y"},
        proof=(mark(Path("/bin/sh"), Digest.of(b"")),),
        files={"a": "b"},
    )
    line = append(tmp_path / "log.jsonl", event, NOW)
    assert line.event == event and read(tmp_path / "log.jsonl").lines == (line,)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl").require().head == START


@pytest.mark.parametrize("at", range(6))
def test_every_edited_byte_of_a_line_is_found_and_the_line_named(log: Path, at: int) -> None:
    whole = lines(log)
    for position in range(0, len(whole[at]) - 1, 7):
        edited = bytearray(whole[at])
        edited[position] ^= 1
        write(log, [*whole[:at], bytes(edited), *whole[at + 1 :]])
        assert any(fault.startswith(f"line {at + 1}: ") for fault in read(log).faults), bytes(edited)


@pytest.mark.parametrize("at", range(6))
def test_an_edited_line_with_a_digest_of_its_own_is_found(log: Path, at: int) -> None:
    whole = lines(log)
    write(log, [*whole[:at], forged(whole[at], reason="nothing happened"), *whole[at + 1 :]])
    (fault,) = read(log).faults
    assert fault.startswith(f"line {at + 2}: does not follow" if at < 5 else "line 6: is not the line")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ((1, 2, 3, 4, 5), "line 1: line 1 is missing before it"),
        ((0, 1, 4, 5), "line 3: lines 3 to 4 are missing before it"),
        ((0, 1, 2, 3, 4), "line 6: was cut off"),
        ((0, 1), "line 3: lines 3 to 6 were cut off"),
        ((), "line 1: lines 1 to 6 were cut off"),
        ((0, 2, 1, 3, 4, 5), "line 3: is out of order or was inserted"),
        ((0, 1, 2, 2, 3, 4, 5), "line 4: stands there twice"),
        ((0, 1, 2, 3, 4, 5, 5), "line 7: stands there twice"),
    ],
)
def test_cut_reordered_and_inserted_lines_are_named(log: Path, order: tuple[int, ...], said: str) -> None:
    whole = lines(log)
    write(log, [whole[place] for place in order])
    assert any(fault.startswith(said) for fault in read(log).faults), read(log).faults
    with pytest.raises(DeployError, match="is not as it was written"):
        append(log, EVENT, NOW)
    assert len(lines(log)) == len(order)


def test_a_line_that_somebody_else_chained_on_is_found(log: Path) -> None:
    for _ in range(2):
        last = json.loads(lines(log)[-1])
        content = {**last, "number": last["number"] + 1, "before": last["digest"]}
        content["digest"] = str(digest_of({key: value for key, value in content.items() if key != "digest"}))
        write(log, [*lines(log), canonical_bytes(content) + b"\n"])
    assert read(log).faults == ("line 8: was added by something else",)


@pytest.mark.parametrize("content", [b"", b"[7]", b"[6, 1]", b"nonsense"])
def test_an_edited_head_is_found(log: Path, content: bytes) -> None:
    log.with_suffix(".head").write_bytes(content)
    assert read(log).faults
    log.with_suffix(".head").unlink()
    assert read(log).faults == ("the end: deployments.head is missing",)


@pytest.mark.parametrize("junk", [b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"number":7}\n', b"[" * 100_000 + b"\n"])
def test_what_is_no_line_is_a_fault(log: Path, junk: bytes) -> None:
    write(log, [*lines(log), junk])
    assert any(fault.startswith("line 7: was edited: it is no line of the log") for fault in read(log).faults)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["number", "before", "time", "digest", *(field.name for field in fields(Event))]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_whatever_stands_in_a_line_it_is_read_and_judged(log: Path, key: str, value: Any) -> None:
    """With a digest that covers it, as whoever forges one would write it."""
    (*whole, last) = lines(log)
    content = json.loads(last)
    (content if key in content else content["event"])[key] = value
    if key != "digest":
        content["digest"] = str(digest_of({name: part for name, part in content.items() if name != "digest"}))
    other = log.with_name("other.jsonl")
    write(other, [*whole, canonical_bytes(content) + b"\n"])
    other.with_suffix(".head").write_bytes(log.with_suffix(".head").read_bytes())
    known = read(other)
    assert known.faults or content == json.loads(last)
    for name in known.names():
        found = standing(known.of(name))
        assert not found.now or drift_of_files(found.now.event, deep=False) is not None


def test_a_line_that_was_never_finished_is_dropped(log: Path) -> None:
    whole = lines(log)
    with log.open("ab") as file:
        file.write(whole[0][:40])
    assert not read(log).faults and len(read(log).lines) == 6
    append(log, EVENT, NOW)
    assert [line.number for line in read(log).require().lines] == [1, 2, 3, 4, 5, 6, 7]


def test_a_head_one_line_behind_is_what_a_kill_leaves(log: Path) -> None:
    head = log.with_suffix(".head").read_bytes()
    append(log, EVENT, NOW)
    log.with_suffix(".head").write_bytes(head)
    assert not read(log).faults
    assert append(log, EVENT, NOW).number == 8
    assert not read(log).faults


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.deploy.log import Event, append
print("ready", flush=True)
number = 0
while True:
    line = append(Path(sys.argv[1]), Event("small", "deploy", "local", "lock", reason="x" * 20000), datetime.now(UTC))
    print(line.number, flush=True)
"""


def writer(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_9_at_any_point_leaves_a_whole_log_with_every_acknowledged_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for round_ in range(8):
        process = writer(path)
        assert process.stdout and process.stdout.readline() == "ready\n"
        time.sleep(0.02 + 0.013 * round_)
        process.send_signal(signal.SIGKILL)
        told = [int(number) for number in process.communicate()[0].split()]
        known = read(path)
        assert not known.faults
        assert len(known.lines) >= max(told, default=0)
    assert append(path, EVENT, NOW).number == len(read(path).lines)


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: append(path, replace(EVENT, reason=str(number)), NOW), range(24)))
    assert sorted(int(line.event.reason) for line in read(path).require().lines) == list(range(24))


def test_a_full_disk_leaves_the_log_as_it_was(log: Path) -> None:
    before = log.read_bytes()
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100}, {len(before) + 100}))\n"
    ) + WRITER
    done = subprocess.run(
        [sys.executable, "-c", script, str(log)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert "File too large" in done.stderr
    assert log.read_bytes() == before and not read(log).faults
