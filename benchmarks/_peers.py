"""Other linters of model files and templates, in an environment of their own, and what they say of a file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".nox" / "peers"
HUNG, LATE = "hung", 30.0
LIMITED = ["/bin/sh", "-c", 'ulimit -d 4194304; exec "$@"', "sh"]
"""4 GiB for each, since some templates are made to eat all there is."""
REQUIREMENTS = ROOT / "requirements" / "peers.txt"


@dataclass(frozen=True)
class Said:
    """What a linter said of a file: its findings (each told from others by ``key``), whether its exit code was 0, and the
    seconds that its process took.
    """

    findings: frozenset[tuple[str, str]]
    passed: bool
    seconds: float


@dataclass(frozen=True)
class Peer:
    """One linter: its command, whether it reads templates in place of model files, and how to ask and understand it."""

    name: str
    version: str
    command: Path
    on_templates: bool
    arguments: Callable[[Path, Path], list[str]]
    read: Callable[[str, Path], frozenset[tuple[str, str]]]

    def lint(self, path: Path) -> Said:
        """Let it judge a file. Raises RuntimeError when it says nothing that can be read."""
        with tempfile.TemporaryDirectory() as folder:
            report, began = Path(folder) / "report.json", time.monotonic()
            argv = [*LIMITED, str(self.command), *self.arguments(path, report)]
            try:
                done = subprocess.run(argv, capture_output=True, text=True, errors="replace", cwd=folder, timeout=LATE)
            except subprocess.TimeoutExpired:
                return Said(frozenset({(HUNG, "")}), False, LATE)
            seconds = time.monotonic() - began
            try:
                return Said(self.read(done.stdout, report), done.returncode == 0, seconds)
            except (ValueError, OSError, KeyError) as error:
                if done.returncode not in (1, 2, 3):
                    raise RuntimeError(f"{self.name} on {path.name}: {done.returncode} {done.stderr[-500:]}") from error
                return Said(frozenset({("refused", done.stderr[-200:])}), False, seconds)


def _ggufdoctor(_: str, report: Path) -> frozenset[tuple[str, str]]:
    found = json.loads(report.read_text())["findings"]
    return frozenset((item["id"], f"{item['severity']} {item['fixture']}") for item in found)


def _c4nary(stdout: str, _: Path) -> frozenset[tuple[str, str]]:
    found = json.loads(stdout)["findings"]
    # MET004 lists every text of the metadata: no finding.
    return frozenset((item["rule_id"], str(item["location"])) for item in found if item["rule_id"] != "MET004")


def _chatlint(stdout: str, _: Path) -> frozenset[tuple[str, str]]:
    found = re.findall(r"^ +\[(error|warning|info)\] (\w+) / (\w+)", stdout, re.MULTILINE)
    if not found and "score" not in stdout:
        raise ValueError(stdout[-200:])
    return frozenset((kind, f"{severity} {shape}") for severity, kind, shape in found)


def peers(python: Path | None = None) -> list[Peer]:
    """Return the linters, installed by hash where they are not yet; ``python`` is an interpreter that has them already."""
    python = python or _install()
    listed = "import importlib.metadata as m; print(*(m.version(n) for n in ('ggufdoctor', 'c4nary', 'chatlint')))"
    versions = subprocess.run([python, "-c", listed], check=True, capture_output=True, text=True).stdout.split()
    at = python.parent
    return [
        Peer(
            "ggufdoctor",
            versions[0],
            at / "ggufdoctor",
            False,
            lambda f, out: [str(f), "--json", str(out)],
            _ggufdoctor,
        ),
        Peer("c4nary", versions[1], at / "canary", False, lambda f, _: ["scan", "--json", str(f)], _c4nary),
        Peer(
            "chatlint", versions[2], at / "chatlint", True, lambda f, _: ["check", "--show", "999", str(f)], _chatlint
        ),
    ]


def templates(python: Path, more: Path | None = None) -> list[Path]:
    """Return the templates that come with chatlint, and those in the folder ``more``."""
    found = sorted(python.parent.parent.glob("lib/python*/site-packages/chatlint/templates/**/*.jinja"))
    return found + (sorted(more.glob("*.jinja")) if more else [])


def llama_cpp() -> Path | None:
    """Return the folder ``models`` of a llama.cpp that uv has built from: its templates and vocabularies."""
    found = sorted(Path.home().glob(".cache/uv/sdists-v*/pypi/llama-cpp-python/*/*/src/vendor/llama.cpp/models"))
    return found[0] if found else None


def _install() -> Path:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv is missing: run this by `python3 bootstrap.py nox -s bench -- NAME`")
    if not PLACE.is_dir():
        subprocess.run([uv, "venv", "--quiet", str(PLACE)], check=True)
    python = PLACE / "bin" / "python"
    argv = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(REQUIREMENTS)]
    subprocess.run(argv, check=True)
    return python
