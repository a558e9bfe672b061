"""Who finds which fault: Assay and other linters on files with a single fault each, made from one that has none.

What counts is a finding that the sound file doesn't have. Faults of a spec are shown to Assay alone, as only it has specs.
``hung`` is a linter that had said nothing after half a minute.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import as_installed
from _peers import HUNG, Peer, Said, peers

from pipeline.gguf.header import GgufError, read_header
from pipeline.lint.engine import lint, rules
from pipeline.lint.model import Stage
from pipeline.lint.subject import subject_of
from tests import zoo
from tests.mutations import Mutation, mutations


class Bench:
    """The files, and what everyone says of them."""

    def __init__(self, folder: Path, others: Sequence[Peer]) -> None:
        self.folder = folder
        self.others = others
        self.engine = None
        if any(rule.stage is not Stage.HEADER for rule in rules().values()):
            from pipeline.runtime.build import find_engine

            self.engine = find_engine()
        self.seconds: dict[str, list[float]] = {}
        self.sound = {peer.name: self.ask(peer, zoo.SOUND) for peer in others}

    def ours(self, path: Path, mutation: Mutation | None) -> tuple[set[str], bool]:
        """Return the codes that Assay has for a file up to the stage that is meant, and whether a gate would fail."""
        spec, upto = zoo.spec(**(mutation.spec if mutation else {})), mutation.stage if mutation else Stage.PLAYBACK
        began = time.monotonic()
        found = lint(subject_of(path, spec=spec, engine=self.engine), upto=upto)
        self.seconds.setdefault(f"Assay, {upto}", []).append(time.monotonic() - began)
        return {finding.code for finding in found}, any(finding.severity == "error" for finding in found)

    def command(self, path: Path) -> None:
        """Time ``assay lint`` as a process, as it is for the others."""
        began = time.monotonic()
        argv = [sys.executable, "-m", "pipeline.cli.main", "lint", "--json", str(path)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(argv, capture_output=True, cwd=self.folder, env=environment)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr.decode()[-2000:])
        self.seconds.setdefault("`assay lint`, a process a file", []).append(time.monotonic() - began)

    def ask(self, peer: Peer, path: Path) -> Said | None:
        """Let another linter judge; None where there is nothing that it reads."""
        if peer.on_templates:
            text = read_header(path).metadata.get(zoo.TEMPLATE)
            if not isinstance(text, str):
                return None
            path = self.folder / "chat_template.jinja"
            path.write_bytes(text.encode("utf-8", "replace"))
        said = peer.lint(path)
        self.seconds.setdefault(f"{peer.name}, a process a file", []).append(said.seconds)
        return said

    def row(self, mutation: Mutation) -> list[str]:
        """Make the file, let all judge it, and return the cells."""
        path = self.folder / "made.gguf"
        mutation.defect.make(path)
        codes, fails = self.ours(path, mutation)
        self.command(path)
        cells = [shown(codes, fails, right=mutation.code)]
        for peer in self.others:
            if same(path):
                cells.append("no specs")
                continue
            said, sound = self.ask(peer, path), self.sound[peer.name]
            assert sound
            if said is None:
                cells.append("–")
            elif any(code == HUNG for code, _ in said.findings):
                cells.append(HUNG)
            else:
                new = {code for code, _ in said.findings - sound.findings}
                cells.append(shown(new, not said.passed and sound.passed))
        return [mutation.name, re.sub(r"(#\d+) ", r"\1, ", mutation.reports), str(mutation.stage), *cells]


def same(path: Path) -> bool:
    """Whether a file says what the sound one says: then the fault is in the spec alone."""
    one, other = read_header(path), read_header(zoo.SOUND)
    return {key: one.raw(key) for key in one.spans} == {key: other.raw(key) for key in other.spans}


def shown(codes: set[str], fails: bool, right: str = "") -> str:
    """A cell: the codes, in bold where the exit code would stop a pipeline; the wrong ones of ours are struck out."""
    if not codes:
        return "–"
    listed = sorted(codes)
    text = ", ".join(code if right in ("", code) else f"~~{code}~~" for code in listed[:3])
    text += f", {len(listed) - 3} more" if len(listed) > 3 else ""
    return f"**{text}**" if fails else text


def caught(cell: str) -> bool:
    return cell not in ("–", "no specs", HUNG) and "~~" not in cell


def report(bench: Bench, rows: list[list[str]]) -> None:
    """Print both tables."""
    names = ["Assay", *(f"{peer.name} {peer.version}" for peer in bench.others)]
    head = ["Fault", "Seen in", "Stage", *names]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |")
    columns = list(zip(*(row[3:] for row in rows), strict=True))
    sums = [f"{sum(map(caught, column))}" for column in columns]
    print(f"| **{len(rows)} faults: found** | | | " + " | ".join(sums) + " |")
    gates = [f"{sum(cell.startswith('**') for cell in column)}" for column in columns]
    print("| **and exit code not 0** | | | " + " | ".join(gates) + " |")
    together = sum(any(caught(cell) for cell in cells) for cells in zip(*columns[1:], strict=True))
    print(f"\nThe others together find {together}. Files by stage: {dict(Counter(row[2] for row in rows))}\n")
    print("| Who | Files | Seconds a file, mean | Slowest |\n|---|---|---|---|")
    for who, seconds in sorted(bench.seconds.items()):
        print(f"| {who} | {len(seconds)} | {sum(seconds) / len(seconds):.3f} | {max(seconds):.2f} |")


def malformed(bench: Bench) -> None:
    """Print who refuses the files that are no sound GGUF at all."""
    print("\n| No GGUF at all | Assay | " + " | ".join(p.name for p in bench.others if not p.on_templates) + " |")
    print("|---" * (2 + sum(not peer.on_templates for peer in bench.others)) + "|")
    for name, make in zoo.MALFORMED.items():
        path = bench.folder / "made.gguf"
        make(path)
        try:
            subject_of(path)
            cells = ["–"]
        except GgufError:
            cells = ["refused"]
        for peer in bench.others:
            if not peer.on_templates:
                cells.append("–" if peer.lint(path).passed else "refused")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> int:
    """Run the bench; exit code 1 when Assay misses a fault, or finds one in the sound file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="an interpreter that has the peers of requirements/peers.txt")
    parser.add_argument("--only", metavar="TEXT", default="", help="only faults with this in their name")
    stages = [str(stage) for stage in Stage]
    parser.add_argument("--stages", nargs="+", choices=stages, default=stages, help="only faults of these stages")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-mutations-") as name:
        as_installed(Path(name))
        bench = Bench(Path(name), peers(args.peer_python))
        sound, _ = bench.ours(zoo.SOUND, None)
        rows = []
        for fault, mutation in mutations().items():
            if args.only in fault and mutation.stage in args.stages:
                print(f"  {fault}", file=sys.stderr, flush=True)
                rows.append(bench.row(mutation))
        report(bench, rows)
        if not args.only and "header" in args.stages:
            malformed(bench)
    print(f"\nThe sound file: {', '.join(sorted(sound)) or 'nothing'}")
    return 0 if not sound and all(caught(row[3]) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
