"""How fast lint is: the reader of headers beside ``gguf.GGUFReader``, and the stages that need no engine beside other linters."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import NOISY, as_installed, watch
from _peers import PLACE, Peer, llama_cpp, peers, templates

from pipeline.bench.stats import median, spread
from pipeline.gguf.header import Header, read_header

ROOT = Path(__file__).parents[1]
TINY, GEMMA = ROOT / "models/tiny-chat/tiny-chat-q8_0.gguf", ROOT / "models/real/gemma-3-270m-q4_k_m.gguf"
TEMPLATE = "tokenizer.chat_template"
READER, READ, STATIC, EACH = 30.0, 0.2, 3.0, 0.05
READERS = {
    "Assay": "from pipeline.gguf.header import read_header as read; path = Path(sys.argv[1])",
    "gguf": "from gguf import GGUFReader as read; path = sys.argv[1]",
}
TIMED = """
import json, resource, sys, time
from pathlib import Path
def peak():
    try:  # ru_maxrss begins with what the parent had
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{imports}
before, began = peak(), time.perf_counter()
found = read(path)
seconds = time.perf_counter() - began
print(json.dumps([seconds, peak() - before]))
"""


def read_once(reader: str, path: Path) -> tuple[float, int]:
    """Read a header in a process of its own; the seconds that reading took, and by how many bytes the process grew."""
    argv = [sys.executable, "-c", TIMED.format(imports=READERS[reader]), str(path)]
    done = subprocess.run(argv, check=True, capture_output=True, cwd=ROOT)
    seconds, grown = json.loads(done.stdout)
    return seconds, grown


def headers(paths: Sequence[Path], repetitions: int) -> bool:
    """Print how both readers do; return whether the goals are met."""
    print(f"| File | Tokens | Assay | gguf-py | Times as fast (goal {READER:.0f}x) | Memory: Assay | gguf-py |")
    print("|---|---|---|---|---|---|---|")
    met = True
    for path in paths:
        tokens = len(read_header(path).metadata.get("tokenizer.ggml.tokens", ()))
        seconds: dict[str, list[float]] = {name: [] for name in READERS}
        grown: dict[str, int] = {}
        for turn in range(repetitions):
            for name in READERS:
                if name == "gguf" and turn and seconds[name][0] > 3:
                    continue  # once is enough of what takes so long
                took, more = read_once(name, path)
                seconds[name].append(took)
                grown[name] = max(grown.get(name, 0), more)
        ours, theirs = median(seconds["Assay"]), median(seconds["gguf"])
        good = theirs / ours >= READER and ours <= READ
        met &= good
        times = f"{theirs / ours:.0f}x {'' if good else '**missed**'}{noise(seconds['Assay'])}"
        cells = [path.stem, f"{tokens:,}", f"{ours * 1000:.1f} ms", f"{theirs:.2f} s", times]
        print(
            "| " + " | ".join([*cells, *(f"{grown[name] / (1 << 20):.0f} MiB" for name in READERS)]) + " |", flush=True
        )
    return met


def noise(seconds: Sequence[float]) -> str:
    return f" (x{spread(seconds):.2f} apart, noisy)" if spread(seconds) > NOISY else ""


def with_template(header: Header, text: str) -> bytes:
    """Return a header's bytes with another chat template; the file's alignment stays."""
    raw, (_, start, end) = bytes(header.source.data), header.spans[TEMPLATE]
    described = sum(len(tensor.name.encode()) + 8 * len(tensor.shape) + 24 for tensor in header.tensors)
    last = max(last for _, _, last in header.spans.values()) + described
    content = text.encode("utf-8", "replace")
    body = raw[:start] + len(content).to_bytes(8, "little") + content + raw[end:last]
    return body + b"\0" * (-len(body) % header.alignment)


def make(folder: Path, sources: Sequence[Path], count: int) -> list[tuple[Path, Path]]:
    """Make so many model files, each with a template of its own, and the templates beside them."""
    header = read_header(TINY)
    weights = TINY.read_bytes()[header.data_offset :]
    texts = {hashlib.sha256(content := path.read_bytes()).digest(): content for path in sources}
    chosen = [texts[digest].decode("utf-8", "replace") for digest in sorted(texts)][:count]
    made = []
    for number, text in enumerate(chosen):
        model, template = folder / f"{number:03}.gguf", folder / f"{number:03}.jinja"
        model.write_bytes(with_template(header, text) + weights)
        template.write_text(text, newline="")
        assert read_header(model).metadata[TEMPLATE] == text
        made.append((model, template))
    return made


@dataclass
class Contest:
    """Someone's runs: seconds for all files, and the most memory it had (bytes)."""

    name: str
    processes: str
    argvs: list[list[str]]
    seconds: list[float] = field(default_factory=list)
    peak: int = 0

    def run(self, folder: Path) -> None:
        """Run all its commands once, one after the other."""
        began = time.monotonic()
        for argv in self.argvs:
            self.peak = max(self.peak, once(argv, folder))
        self.seconds.append(time.monotonic() - began)
        print(f"  {self.name}, {self.processes}: {self.seconds[-1]:.1f} s", file=sys.stderr, flush=True)


def once(argv: Sequence[str], folder: Path) -> int:
    """Run a command and return its peak memory, its children's included. Raises RuntimeError unless it ends with 0 or 1."""
    with (folder / "stderr").open("w+b") as err:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=err)
        over, peak = threading.Event(), [0]
        watching = threading.Thread(target=watch, args=(process.pid, over, peak))
        watching.start()
        process.wait()
        over.set()
        watching.join()
        if process.returncode not in (0, 1):
            err.seek(0)
            raise RuntimeError(f"{argv[:4]}: {process.returncode} {err.read()[-1000:].decode()}")
    return peak[0]


def contests(made: Sequence[tuple[Path, Path]], others: Sequence[Peer], few: int) -> list[Contest]:
    """Return who runs how: all files in one process where that can be, and a process for each of the first ``few``."""
    ours = [sys.executable, "-m", "pipeline.cli.main", "lint", *STAGE]
    models, some = [str(model) for model, _ in made], [str(model) for model, _ in made[:few]]
    found = [Contest("Assay", "one", [[*ours, *models]]), Contest("Assay", "each", [[*ours, path] for path in some])]
    for peer in others:
        files = [template if peer.on_templates else model for model, template in made]
        if peer.on_templates:
            argv = [str(peer.command), "check", *map(str, files)]
            found.append(Contest(f"{peer.name} {peer.version}", "one", [argv]))
        argvs = [[str(peer.command), *peer.arguments(file, Path("report.json"))] for file in files[:few]]
        found.append(Contest(f"{peer.name} {peer.version}", "each", argvs))
    return found


STAGE = ("--stage", "header")


def static(made: Sequence[tuple[Path, Path]], others: Sequence[Peer], few: int, repetitions: int, folder: Path) -> bool:
    """Print how all do on the same files; return whether the goals are met."""
    all_of_them = contests(made, others, few)
    for _ in range(repetitions):
        for one in all_of_them:
            one.run(folder)
    each = {id(one): median(one.seconds) / (len(made) if one.processes == "one" else few) for one in all_of_them}
    ours, met = each[id(all_of_them[0])], each[id(all_of_them[0])] < EACH
    print(f"| Who | Processes | Files | Milliseconds a file | Assay in one process (goal {STATIC:.0f}x) | Memory |")
    print("|---|---|---|---|---|---|")
    for one in all_of_them:
        times = each[id(one)] / ours
        said = f"{times:.1f} times as fast" + (" **missed**" if times < STATIC else "")
        if one.name == "Assay":
            said = "" if one.processes == "each" else f"goal < {EACH * 1000:.0f} ms: {'met' if met else '**missed**'}"
        else:
            met &= times >= STATIC
        count = len(made) if one.processes == "one" else few
        cells = [one.name, one.processes, str(count), f"{each[id(one)] * 1000:.0f}{noise(one.seconds)}", said]
        print("| " + " | ".join([*cells, f"{one.peak / (1 << 20):.0f} MiB"]) + " |")
    return met


def main() -> int:
    """Run both parts; exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="an interpreter that has the peers of requirements/peers.txt")
    parser.add_argument("--llama-cpp", type=Path, default=llama_cpp(), help="a folder `models` of llama.cpp's sources")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--each", type=int, default=40, help="files for which a process is started each")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", choices=["header", "static"])
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {args.repetitions} repetitions\n")
    met = True
    with tempfile.TemporaryDirectory(prefix="assay-lint-") as name:
        folder = Path(name)
        as_installed(folder)
        if args.only != "static":
            vocabularies = sorted(args.llama_cpp.glob("*.gguf")) if args.llama_cpp else []
            met &= headers([path for path in (GEMMA, TINY) if path.is_file()] + vocabularies, args.repetitions)
            print()
        if args.only != "header":
            others = peers(args.peer_python)
            more = args.llama_cpp / "templates" if args.llama_cpp else None
            python = args.peer_python or PLACE / "bin" / "python"
            made = make(folder, templates(python, more), args.files)
            met &= static(made, others, min(args.each, len(made)), args.repetitions, folder)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
