"""Opening the database, and what interrupts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from pipeline.record.access import writing

LONG = """
import signal, sys
from pathlib import Path
from pipeline.record.access import reading, writing

def stop(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
how = writing if sys.argv[2] == "writing" else reading
print("ready", flush=True)
try:
    with how(Path(sys.argv[1])) as connection:
        connection.execute("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b").fetchone()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_signal_within_a_query_is_an_interruption(tmp_path: Path) -> None:
    database = tmp_path / "results.duckdb"
    with writing(database):
        pass
    for how in ("writing", "reading"):
        argv = [sys.executable, "-c", LONG, str(database), how]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            try:
                child.communicate(timeout=3)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=60)
        assert (out, err, child.returncode) == ("interrupted\n", "", 0)
