"""kill -9 at every step of making a blob visible: the kernel does it, when the step's system call begins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.store.fetch import fetch
from pipeline.store.layout import Store
from tests.origin import Origin
from tests.store.blobs import locked

CONTENT = b"GGUF" + bytes(range(256)) * 1200
DIGEST = Digest.of(CONTENT)
ROOT = Path(__file__).parents[2]
SCRIPT = f"""
import sys
from pathlib import Path
from pipeline.lock.model import LockedFile
from pipeline.store import fetch, transfer
from pipeline.store.layout import Store
fetch.SMALL, transfer._MOST, transfer._LEAST = 1000, 100_000, 50_000
file = LockedFile(role="weights", path="m", size={len(CONTENT)}, sha256="{DIGEST}", urls=(sys.argv[2],), known="spec")
fetch.fetch(Store(Path(sys.argv[1])), file, Path("/nowhere"))
"""
# What a fetch does, in this order: the journal (fchmod, fsync, rename, fsync of the folder), preallocation, the pieces, the blob (fchmod,
# fsync, rename, fsync of the folder), the receipt (as the journal), and away with the journal. Calls are counted for each thread; all but
# those for the pieces are one thread's.
STEPS = [
    *(("fchmod", number) for number in (1, 2, 3)),
    *(("fsync", number) for number in range(1, 7)),
    *(("rename", number) for number in (1, 2, 3)),
    *(("ftruncate", 1), ("pwrite64", 1), ("unlink,unlinkat", 1), ("unlink,unlinkat", 2)),
]


@pytest.mark.parametrize(("call", "number"), STEPS)
def test_killed_at(store: Store, server: Origin, call: str, number: int, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip(
            "strace is not installed: NOTHING is known about kills while publishing. Debian: apt install strace"
        )
    url = server.put("/m", CONTENT)
    argv = ["strace", "-f", "-qq", "-o", str(tmp_path / "log"), "-e", f"trace={call}"]
    argv += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
    done = subprocess.run(
        [*argv, sys.executable, "-c", SCRIPT, str(store.root), url],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"strace may not trace here: NOTHING is known about kills while publishing. {done.stderr.strip()}")
    assert done.returncode in (137, -9), done.stderr
    path = store.path(DIGEST)
    named = path.exists()
    if named:
        assert path.read_bytes() == CONTENT and path.stat().st_mode & 0o777 == 0o444
        assert store.receipt(DIGEST) is None or store.receipt(DIGEST).fits(path.stat())  # type: ignore[union-attr]
    complete = server.sent >= len(CONTENT)
    server.forget()
    fetch(store, locked(CONTENT, server.put("/m", CONTENT)), ROOT)
    assert path.read_bytes() == CONTENT and store.partial(DIGEST).exists() is False
    if named or (complete and call == "fsync"):
        assert server.asked == [], "nothing was to be fetched again"
