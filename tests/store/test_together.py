from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError, UsageError
from pipeline.store.layout import Store
from pipeline.store.together import fetch_all
from tests.origin import Origin
from tests.projects import until
from tests.store.blobs import locked
from tests.store.heard import Heard

ROOT = Path(__file__).parents[2]
CONTENTS = [b"GGUF" + bytes([number]) * 200_000 for number in range(7)]


def test_many_files_come_at_the_same_time(store: Store, server: Origin) -> None:
    files = [
        locked(content, server.put(f"/{number}.gguf", content, rate=500_000), path=f"{number}.gguf")
        for number, content in enumerate(CONTENTS)
    ]
    heard = Heard()
    paths = fetch_all(store, [*files, files[0]], ROOT, progress=heard)
    assert paths == [store.path(file.digest) for file in [*files, files[0]]]
    assert [path.read_bytes() for path in paths] == [*CONTENTS, CONTENTS[0]]
    assert server.busiest == 4 and len(server.asked) == len(CONTENTS)
    assert heard.tasks == {f"fetch {number}.gguf": (200_004, 200_004) for number in range(7)}
    server.forget()
    assert fetch_all(store, files, ROOT, offline=True) == paths[:-1] and fetch_all(store, [], ROOT) == []


def test_the_first_error_ends_the_others_too(store: Store, server: Origin) -> None:
    slow = [
        locked(content, server.put(f"/{number}.gguf", content, rate=20_000)) for number, content in enumerate(CONTENTS)
    ]
    gone = locked(b"?", server.put("/gone", status=404, delay=1.0))
    began = time.monotonic()
    with pytest.raises(NetworkError, match="/gone: 404"):
        fetch_all(store, [*slow[:3], gone, *slow[3:]], ROOT)
    assert time.monotonic() - began < 8
    assert not list(store.root.glob("blobs/*"))
    assert {Digest.of(content).hex for content in CONTENTS[:3]} == {path.name for path in store.root.glob("partial/*")}


def test_the_room_for_all_is_checked_before_anything_is_asked_for(
    store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [locked(content, server.put(f"/{number}", content)) for number, content in enumerate(CONTENTS)]
    room = (64 << 20) + 2 * 200_004
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, room))
    with pytest.raises(UsageError, match="64 MiB free, 65 MiB are needed"):
        fetch_all(store, files, ROOT)
    assert server.asked == []
    fetch_all(store, files[:2], ROOT)


def test_the_rate_is_for_all_together(store: Store, server: Origin) -> None:
    files = [locked(content, server.put(f"/{number}", content)) for number, content in enumerate(CONTENTS)]
    began = time.monotonic()
    fetch_all(store, files, ROOT, limit_rate=1_400_000)
    assert time.monotonic() - began > 0.9


SCRIPT = """
import sys
from pathlib import Path
from pipeline.lock.model import LockedFile
from pipeline.store.layout import Store
from pipeline.store.together import fetch_all
files = [
    LockedFile(role="weights", path="m.gguf", size=200_004, sha256=digest, urls=(url,), known="spec")
    for digest, url in zip(sys.argv[2::2], sys.argv[3::2])
]
try:
    fetch_all(Store(Path(sys.argv[1])), files, Path("/nowhere"))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_ends_all_of_them_also_one_that_waits_for_another_process(store: Store, server: Origin) -> None:
    digests = [Digest.of(content) for content in CONTENTS]
    urls = [server.put(f"/{number}", content, rate=20_000) for number, content in enumerate(CONTENTS)]
    pairs = [part for digest, url in zip(digests, urls, strict=True) for part in (str(digest), url)]
    with store.lock(digests[0].hex):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(store.root), *pairs],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        until(lambda: len(server.asked) == 3)
        began = time.monotonic()
        process.send_signal(2)
        assert process.communicate(timeout=20) == ("interrupted\n", "") and time.monotonic() - began < 8
