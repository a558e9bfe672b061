"""With a warm store no command opens a socket beyond this machine: seen by the kernel, not by us."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.project import Project

ROOT = Path(__file__).parents[1]
COMMANDS = """
lock
lock --check
fetch
verify
verify --deep
inspect small
lint
fix small --dry-run
explain
check
eval
bench
gate
run --force
run
report
compare small small
results small -o ../items.parquet
bundle -o ../small.tar
import ../small.tar
mirror ../mirror
export small --format cyclonedx-json
sbom small
connect openai small
query SHOW\\ TABLES
schema
completion bash
doctor
"""
INET = re.compile(r"sa_family=AF_INET6?,.*?(?:inet_addr\(\"(?P<v4>[^\"]+)\"|inet_pton\(AF_INET6, \"(?P<v6>[^\"]+)\")")


def beyond(trace: str) -> list[str]:
    """Return the calls that reach for another machine."""
    return [
        line
        for line in trace.splitlines()
        if (found := INET.search(line)) and not re.match(r"127\.|::1$|::ffff:127\.", found["v4"] or found["v6"])
    ]


def traced(script: str, folder: Path, log: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed: NOTHING is known about sockets. Debian: apt install strace")
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    argv = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-s", "0", "-o", str(log), "bash", "-ec", script]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300)
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: NOTHING is known about sockets. {done.stderr.strip()}")
    return done, log.read_text()


def test_the_watch_sees_what_it_must(tmp_path: Path) -> None:
    reach = "import socket; s = socket.socket(socket.AF_INET{}, socket.SOCK_DGRAM); s.connect(('{}', 9))"
    script = "\n".join(
        f'{sys.executable} -c "{reach.format(family, host)}" || true'
        for family, host in (("", "127.0.0.1"), ("", "192.0.2.1"), ("6", "::1"), ("6", "2001:db8::1"))
    )
    done, trace = traced(script, tmp_path, tmp_path / "log")
    assert done.returncode == 0
    assert [re.search(r"192\.0\.2\.1|2001:db8::1", line) is not None for line in beyond(trace)] == [True, True], trace


def test_no_command_reaches_beyond_this_machine(assayed: Project, tmp_path: Path) -> None:
    program = f"PYTHONPATH={ROOT} {sys.executable} -m pipeline.cli.main"
    lines = [f"{program} {line} > /dev/null" for line in COMMANDS.split("\n") if line]
    lines += [
        f"""run=$({program} query "SELECT id FROM runs WHERE stage = 'eval'" | tail -1 | tr -d ' ')""",
        f"{program} reproduce $run > /dev/null",
        f"{program} serve small --port 0 > served & pid=$!",
        "for i in $(seq 300); do [ -s served ] && break; sleep 0.1; done; [ -s served ]",
        "kill -TERM $pid; wait $pid",
        # What is ours goes over unix sockets; this shows that the watch would have seen more.
        f"""{sys.executable} -c "import socket; socket.socket().connect_ex(('127.0.0.1', 9))" """,
    ]
    done, trace = traced("\n".join(lines), assayed.root, tmp_path / "log")
    assert done.returncode == 0, done.stderr
    assert "AF_INET" in trace
    assert beyond(trace) == []
