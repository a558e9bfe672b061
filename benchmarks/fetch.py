"""How fast Assay fetches and verifies, as ratios against named tools in the same minutes: a server on loopback, runs in turns."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Contestant, as_installed, in_turns, server, verdict
from _server import REPO

from pipeline.core.digest import Digest
from tests.matrix.clients import Assay, HubClient
from tests.matrix.models import head

RATE, LATENCY = 20e6, 0.05
BLOBS, DEEP = 200, 8
MEMORY = 200 << 20


@dataclass
class Bench:
    """Where it happens, how large and how often. ``rows`` are the results."""

    folder: Path
    size: int
    repetitions: int
    peer: str
    rows: list[str] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def model(self, name: str, size: int, part: int = 0, parts: int = 0) -> tuple[Path, str]:
        """Write a GGUF file of about ``size`` bytes; returns it with its sha256."""
        path, size, whole = self.folder / "models" / name, size // 32 * 32, hashlib.sha256()
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            left, piece = size, head(size, part, parts)
            while piece:
                file.write(piece)
                whole.update(piece)
                piece = os.urandom(min(left, 4 << 20))
                left -= len(piece)
        return path, whole.hexdigest()

    def assay(self, name: str, reference: str, hub: str) -> Assay:
        """Return Assay with a locked model in a project of its own."""
        client = Assay(self.folder / name, patience=3600.0, inside=False)
        client.aim(reference, hub, token=False)
        locked = client.prepare()
        if locked.code:
            raise RuntimeError(locked.said)
        return client

    def contest(
        self, what: str, ours: Contestant, others: Sequence[tuple[Contestant, float | None]], *, memory: bool = False
    ) -> None:
        """Run all in turns; a row for each other: how many times as fast Assay is, and the goal."""
        print(what, file=sys.stderr)
        contestants = [ours, *(other for other, _ in others)]
        in_turns(contestants, self.repetitions)
        for other, goal in others:
            ratio = other.median / ours.median
            wanted = f">= {goal}x" if goal else "–"
            judged = verdict(ratio, goal, [ours, other]) if goal else "–"
            self.rows.append(f"| {what} | {ours} | {other} | {ratio:.2f}x | {wanted} | {judged} |")
        if memory:
            self.peaks += ours.peaks


def clear(client: Assay | HubClient) -> None:
    """Forget what was fetched."""
    for place in (".assay/store", "hf"):
        shutil.rmtree(client.folder / place, ignore_errors=True)


def of_assay(client: Assay, *arguments: str, fresh: bool = False) -> Contestant:
    """Return a command of Assay's as a contestant."""
    argv = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    before = (lambda: clear(client)) if fresh else (lambda: None)
    return Contestant(f"assay {' '.join(arguments)}", argv, client.folder, client.environment, before)


def limited(bench: Bench) -> None:
    """Each connection has 20 MB/s, each request waits 50 ms: as from a hub across a continent."""
    path, digest = bench.model("model-Q8_0.gguf", bench.size)
    with server({path: digest}, RATE, LATENCY) as at:
        client = bench.assay("limited", f"hf://{REPO}/{path.name}", at["hub"])
        url = f"{at['hub']}/{REPO}/resolve/main/{path.name}"
        got = bench.folder / "got"
        others: list[tuple[Contestant, float | None]] = [
            (Contestant("curl", ["curl", "-sfL", "-o", str(got), url], bench.folder), 6.0)
        ]
        if bench.peer:
            peer = HubClient(bench.folder / "peer")
            peer.aim(f"hf://{REPO}/{path.name}", at["hub"], token=False)
            argv = [bench.peer, "-m", "huggingface_hub.cli.hf", "download", REPO, path.name]
            peer.finish(peer.spawn([*argv, "--dry-run"]))  # so that its modules are compiled
            others.append(
                (Contestant("huggingface_hub", argv, peer.folder, peer.environment, lambda: clear(peer)), 3.0)
            )
        if shutil.which("skopeo"):
            place = f"docker://{at['storage'].removeprefix('http://')}/acme/model:latest"
            folder = bench.folder / "skopeo"
            argv = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", place, f"dir:{folder}"]
            clean = Contestant("skopeo", argv, bench.folder, {}, lambda: shutil.rmtree(folder, ignore_errors=True))
            others.append((clean, None))
        else:
            bench.rows.append("| limited | – | skopeo is not installed | – | – | – |")
        bench.contest("20 MB/s a connection, 50 ms", of_assay(client, "fetch", "m", fresh=True), others, memory=True)
        clear(client)
        shutil.rmtree(bench.folder / "skopeo", ignore_errors=True)
        got.unlink(missing_ok=True)
    with server({path: digest}) as at:
        client = bench.assay("unlimited", f"hf://{REPO}/{path.name}", at["hub"])
        url = f"{at['hub']}/{REPO}/resolve/main/{path.name}"
        others = [(_piped(bench, url, "sha256sum"), 0.7)]
        if shutil.which("openssl"):
            others.append((_piped(bench, url, "openssl dgst -sha256"), None))
        bench.contest("no limits", of_assay(client, "fetch", "m", fresh=True), others, memory=True)
        clear(client)
    path.unlink()


def _piped(bench: Bench, url: str, hasher: str) -> Contestant:
    """Return ``curl`` into a hasher: nothing is written to the disk."""
    command = f"set -o pipefail; curl -sfL '{url}' | {hasher}"
    return Contestant(f"curl \\| {hasher}", ["bash", "-c", command], bench.folder)


def deep(bench: Bench) -> None:
    """Eight files in the store, hashed again: by Assay, and by sha256sum."""
    names = [f"deep-Q8_0-{part + 1:05}-of-{DEEP:05}.gguf" for part in range(DEEP)]
    files = dict(bench.model(name, bench.size // DEEP, part, DEEP) for part, name in enumerate(names))
    with server(files) as at:
        client = bench.assay("deep", f"hf://{REPO}/{names[0]}", at["hub"])
        fetched = client.get()
        if fetched.code:
            raise RuntimeError(fetched.said)
    blobs = [str(client.store.path(digest)) for digest in map(Digest, files.values())]
    others: list[tuple[Contestant, float | None]] = [
        (Contestant("sha256sum", ["sha256sum", *blobs], bench.folder), 1.8)
    ]
    if shutil.which("openssl"):  # one core too, but with the instructions for it that not every sha256sum uses
        others.append((Contestant("openssl", ["openssl", "dgst", "-sha256", *blobs], bench.folder), None))
    bench.contest(f"{DEEP} files hashed again", of_assay(client, "verify", "--deep", "m"), others)
    clear(client)
    for path in files:
        path.unlink()


def warm(bench: Bench) -> None:
    """Two hundred blobs that were verified before, beside one blob, and beside a command that does nothing."""
    clients = []
    for count in (BLOBS, 1):
        names = [f"warm{count}-Q8_0-{part + 1:05}-of-{count:05}.gguf" for part in range(count)]
        files = dict(bench.model(name, 4096 + 32 * part, part, count) for part, name in enumerate(names))
        with server(files) as at:
            clients.append(bench.assay(f"warm{count}", f"hf://{REPO}/{names[0]}", at["hub"]))
            fetched = clients[-1].get()
        if fetched.code:
            raise RuntimeError(fetched.said)
    ours, one, start = of_assay(clients[0], "verify"), of_assay(clients[1], "verify"), of_assay(clients[0], "--help")
    one.name = "assay verify of one blob"
    in_turns([ours, one, start], max(9, bench.repetitions))
    for other in (one, start):
        over = 1000 * (ours.median - other.median)
        judged = verdict(over, 50.0, [ours, other], least=False)
        bench.rows.append(
            f"| warm verify of {BLOBS} blobs | {ours} | {other} | {over:+.0f} ms | < 50 ms more | {judged} |"
        )


def parse_size(text: str) -> int:
    """Return 2G, 64M or a number as bytes."""
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


PARTS = {"fetch": limited, "deep": deep, "warm": warm}


def main() -> int:
    """Run the parts and print a table; exit code 1 when a goal is missed by runs that agree with each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default=2 << 30, help="of the file, and of the eight together")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--peer-python", default="", help="an interpreter that has huggingface_hub")
    parser.add_argument("--folder", type=Path, help="where the files lie; needs three times the size")
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part; may be repeated")
    args = parser.parse_args()
    if not args.peer_python:
        print("huggingface_hub is left out: name an interpreter that has it with --peer-python", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="assay-bench-", dir=args.folder))
    as_installed(folder)
    bench = Bench(folder, args.size, args.repetitions, args.peer_python)
    try:
        for name in args.only or PARTS:
            PARTS[name](bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if bench.peaks:
        most = max(bench.peaks)
        judged = "met" if most < MEMORY else "MISSED"
        bench.rows.append(
            f"| peak memory of the fetches | {most >> 20} MiB | – | – | < {MEMORY >> 20} MiB | {judged} |"
        )
    load = os.getloadavg()[0]
    print(
        f"{args.size >> 20} MiB, {args.repetitions} repetitions, {os.cpu_count()} cores, load {load:.1f} at the end\n"
    )
    print("| What | Assay | Other | Ratio | Goal | |\n|---|---|---|---|---|---|")
    print("\n".join(bench.rows))
    return 1 if any("| MISSED |" in row for row in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
