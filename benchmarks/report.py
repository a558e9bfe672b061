"""Whether a year of a large catalog stays quick to show, to ask and to carry; exit code 1 if a promise is not kept.

200 models on 20 machines make a record of more than ten million rows (``_record.py``). Pages of it are written, commands ask
it, two files of a million rows that overlap are imported, twice, into it and into an empty one, and the items of a suite of
20,000 are written and opened in Chromium. Every step is a process of its own: seconds on the clock, of processor time, and
the most memory that it and its children took. Last, what Assay itself takes of the processor while it measures a model.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
from _measure import as_installed, watch
from _record import COUNTED, WEIGHTS, Catalog, fill, long_items, make_catalog

from pipeline.bench.stats import median
from pipeline.core.project import Project
from pipeline.flow.judge import report_of
from pipeline.flow.session import Session
from pipeline.flow.site import write_index, write_machines, write_model
from pipeline.record.merge import KEYS, write_record
from tests.projects import command_of, descendants
from tests.report.browser import chromium

ROOT = Path(__file__).parent.parent
GEMMA = ROOT / "models" / "real" / "gemma-3-270m-q4_k_m.gguf"
INDEX, PAGE, COMMAND, IMPORT, OPENED, MEMORY, OVERHEAD = 10.0, 1.0, 2.0, 10.0, 2.0, 1 << 30, 0.05
MILLION, MACHINES, ITEMS, HEAVIEST = 1_000_000, 20, 20_000, 4 << 20
SPEEDS = """
SELECT hardware_digest, median(value) FROM bench_rows JOIN runs ON run_id = id
WHERE metric = 'decode_tok_s' AND test = 'tg64' GROUP BY ALL ORDER BY ALL
"""
SPEC = """\
name: model
source: file:../models/model.gguf
engine: {context: 1024, slots: 1, threads: 1}
profile: completion
bench: {prefill: [256], decode: [64], repetitions: 5, budget: 0, streams: [1], requests: 4, max_tokens: 64}
"""
TABLES = {**dict.fromkeys(COUNTED, ("run_id", "position")), **KEYS}


@dataclass(frozen=True)
class Took:
    """One step: seconds on the clock and of processor time, bytes of memory at most, and what it printed."""

    wall: float
    cpu: float
    peak: int
    out: str


class Steps:
    """Steps of which each is a line of a table; ``kept`` tells whether all promises were."""

    def __init__(self, project: Path) -> None:
        self.project, self.kept = project, True
        print("| What | Seconds | of CPU | Memory, MiB | Promised | |\n|---|---|---|---|---|---|")

    def take(self, name: str, argv: Sequence[str], most: float, folder: Path | None = None) -> Took:
        """Run a command, print its line, and return what it took. Raises RuntimeError when it fails."""
        took = run(argv, folder or self.project)
        self.say(name, took.wall, took.cpu, took.peak, most)
        return took

    def say(self, name: str, wall: float, cpu: float, peak: int, most: float) -> None:
        """Print a line. A promise of seconds is kept when processor time keeps it: a busy machine makes the clock slow."""
        good = cpu <= most and peak < MEMORY
        promised = "memory" if most == math.inf else f"{most:g} s"
        self.kept &= good
        said = "kept" if good and wall <= most else "kept by CPU time" if good else "NOT KEPT"
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak >> 20 or '–'} | {promised} | {said} |", flush=True)

    def check(self, name: str, right: bool) -> None:
        """Print what must be so."""
        self.kept &= right
        print(f"| {name} | | | | | {'so' if right else 'NOT SO'} |", flush=True)


def run(argv: Sequence[str], folder: Path) -> Took:
    """Run a command to its end; exit code 1 is an answer."""
    began = time.monotonic()
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    over, peak = threading.Event(), [0]
    watching = threading.Thread(target=watch, args=(process.pid, over, peak))
    watching.start()
    assert process.stdout
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    over.set()
    watching.join()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(argv)}: {process.returncode}\n{out[-2000:]}")
    return Took(time.monotonic() - began, used.ru_utime + used.ru_stime, peak[0], out)


def assay(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli.main", *arguments]


def pages(steps: Steps, catalog: Catalog) -> None:
    """Write the catalog with all machines, and pages of models."""
    steps.take("catalog and 20 machines", [sys.executable, __file__, "--child", "index"], INDEX)
    took = steps.take("ten models, one after the other", [sys.executable, __file__, "--child", "models"], 10 * PAGE)
    walls, used = zip(*(map(float, line.split()[1:]) for line in took.out.splitlines()), strict=True)
    steps.say("… each, median", median(walls), median(used), 0, PAGE)
    print(
        f"| … the first, with all that is loaded and compiled once | {walls[0]:.2f} | {used[0]:.2f} | | | |", flush=True
    )
    steps.take("`assay report m020`, all of the above for one", assay("report", "m020"), INDEX + PAGE)


def commands(steps: Steps) -> None:
    """Ask as people do."""
    asked = {
        "history of a score": ("history", "m020", "tiny-facts.acc"),
        "history of a speed on all machines": ("history", "m020", "bench.decode_tok_s", "--hardware", "all"),
        "results as Parquet": ("results", "m020", "-o", "m020.parquet"),
        "query: runs by suite": ("query", "SELECT subject, count(*) AS runs FROM runs GROUP BY ALL ORDER BY ALL"),
        "query: speed by machine": ("query", SPEEDS),
        "gate of a model": ("gate", "m020"),
        "catalog": ("catalog",),
    }
    for name, arguments in asked.items():
        steps.take(f"`assay {arguments[0]}`: {name}", assay(*arguments), COMMAND)


def imports(steps: Steps, catalog: Catalog, folder: Path) -> None:
    """Import two files that overlap, twice, into the large record and into an empty one."""
    apart = -(-MILLION // (catalog.cells * catalog.rows))
    files = [folder / "one", folder / "two"]
    for file, first in zip(files, (30, 30 + apart - apart // 4), strict=True):
        database = folder / f"{file.name}.duckdb"
        if not file.is_dir():
            fill(catalog, database, catalog.machines[first : first + apart], 1, of=7)
            write_record(database, file)
    sizes = [sum(union([file])[table] for table in COUNTED) for file in files]
    empty = folder / "empty"
    (empty / "specs").mkdir(parents=True, exist_ok=True)
    large = steps.project / ".assay" / "results.duckdb"
    for project, name in ((empty, "an empty record"), (steps.project, "the large one")):
        database = project / ".assay" / "results.duckdb"
        before = counts(database) if database.exists() else dict.fromkeys(TABLES, 0)
        for turn in ("", ", again"):
            for file, size in zip(files, sizes, strict=True):
                argv = assay("record", "import", str(file))
                steps.take(f"{size:,} rows ({file.name}) into {name}{turn}", argv, IMPORT, project)
        after, wanted = counts(database), union(files)
        steps.check("nothing lost, nothing twice", all(after[t] - before[t] == wanted[t] for t in COUNTED))
    began = time.monotonic()
    duckdb.connect(str(large), read_only=True).close()
    print(
        f"\nThe large record: {large.stat().st_size >> 20} MiB, opened in {1000 * (time.monotonic() - began):.0f} ms\n"
    )


def counts(database: Path) -> dict[str, int]:
    """Return how many rows the tables have, each counted once by what it is known by."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {table: _distinct(connection, table, keys) for table, keys in TABLES.items()}


def union(folders: Sequence[Path]) -> dict[str, int]:
    """Return how many rows several exports have together, those that are in both counted once."""
    with duckdb.connect() as connection:
        read = {table: [str(folder / f"{table}.parquet") for folder in folders] for table in TABLES}
        return {table: _distinct(connection, f"read_parquet({read[table]})", keys) for table, keys in TABLES.items()}


def _distinct(connection: duckdb.DuckDBPyConnection, source: str, keys: tuple[str, ...]) -> int:
    (rows,) = connection.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(keys)} FROM {source})"
    ).fetchone() or (0,)
    return int(rows)


def items(steps: Steps, catalog: Catalog) -> None:
    """Write the pages of a suite of many items with long texts, and open the largest one."""
    long_items(catalog, "m021", ITEMS)
    steps.take(f"a model with {ITEMS:,} long items", [sys.executable, __file__, "--child", "items"], math.inf)
    found = sorted((steps.project / "reports" / "items" / "m021").glob("*.html"), key=lambda path: path.stat().st_size)
    every = [*found[-1:], steps.project / "reports" / "m021.html", steps.project / "reports" / "index.html"]
    total = sum(path.stat().st_size for path in found)
    print(f"\n{len(found)} pages of items, {total >> 20} MiB; without JavaScript their links are plain ones\n")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    for path in every:
        size = path.stat().st_size
        steps.check(f"{path.name}: {size / 2**20:.1f} MiB, at most {HEAVIEST >> 20}", size <= HEAVIEST)
        if program:
            with tempfile.TemporaryDirectory() as profile, chromium(program, Path(profile)) as browser:
                browser.open(catalog.session.project.reports / "index.html")
                began = time.monotonic()
                browser.open(path)
                browser.run("document.body.offsetHeight")
                print(
                    f"| … opened by Chromium | {time.monotonic() - began:.2f} | | | {OPENED:g} s, quiet | |", flush=True
                )


def overhead(steps: Steps, folder: Path, model: Path) -> None:
    """Measure a model, and what of the processor Assay itself took beside the engine."""
    (folder / "specs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    shutil.copyfile(model, folder / "models" / "model.gguf")
    (folder / "specs" / "model.yaml").write_text(SPEC)
    run(assay("lock"), folder)
    run(assay("fetch"), folder)
    used: dict[int, tuple[str, float]] = {}
    with subprocess.Popen(assay("bench", "--force"), cwd=folder, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for pid in (process.pid, *descendants(process.pid)):
                seconds = cpu_of(pid)
                if seconds and (command := command_of(pid)):
                    used[pid] = (command, seconds)
            time.sleep(0.02)
        own = used[process.pid][1]
    engine = sum(seconds for command, seconds in used.values() if "llama-" in command.split()[0])
    probe = sum(seconds for _, seconds in used.values()) - engine - own
    share = own / engine
    said = f"{own:.1f} s of CPU beside the engine's {engine:.1f} s; {probe:.1f} s went into probing the machine"
    steps.check(f"`assay bench` of {model.name}: {said}: {share:.1%}, at most {OVERHEAD:.0%}", share <= OVERHEAD)


def cpu_of(pid: int) -> float:
    """Return the processor seconds that a process used; 0 when it is gone."""
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def child(what: str) -> None:
    """Be a step: write pages of the project in this folder, and say what each took."""
    session = Session(Project.find(Path.cwd()), offline=True)
    if what == "index":
        write_machines(session)
        write_index(session)
        return
    for name in ["m021"] if what == "items" else session.names(())[30:40]:
        wall, cpu = time.monotonic(), time.process_time()
        write_model(session, report_of(session, session.current(name)))
        print(name, time.monotonic() - wall, time.process_time() - cpu)


def main() -> int:
    """Make the record, or take one that was made, and go through all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="make the record here, and take it from here the next time")
    parser.add_argument(
        "--model", type=Path, default=GEMMA if GEMMA.is_file() else WEIGHTS, help="to bench for overhead"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
        return 0
    folder = args.folder.resolve() if args.folder else Path(tempfile.mkdtemp(prefix="assay-report-"))
    try:
        as_installed(folder)
        began = time.monotonic()
        catalog = make_catalog(folder / "catalog", args.models)
        made, database = folder / "made.duckdb", catalog.session.project.database
        sessions = max(2, -(-args.rows // (catalog.rows * catalog.cells * MACHINES)))
        if not made.exists():
            fill(catalog, database, catalog.machines[:MACHINES], sessions, of=sessions)
            database.rename(made)
        shutil.copyfile(made, database)
        with duckdb.connect(str(made), read_only=True) as connection:
            rows = sum((connection.execute(f"SELECT count(*) FROM {t}").fetchone() or (0,))[0] for t in COUNTED)
        load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        print(
            f"{args.models} models, {MACHINES} machines, {rows:,} rows, {made.stat().st_size >> 20} MiB; {load}; ",
            end="",
        )
        print(f"made in {time.monotonic() - began:.0f} s\n")
        steps = Steps(catalog.session.project.root)
        run(assay("--help"), steps.project)  # so that its modules are compiled
        pages(steps, catalog)
        commands(steps)
        imports(steps, catalog, folder)
        items(steps, catalog)
        overhead(steps, folder / "overhead", args.model.resolve())
        print(f"\nload when this ended: {os.getloadavg()[0]:.1f}")
    finally:
        if not args.folder:
            shutil.rmtree(folder, ignore_errors=True)
    print("every promise is kept" if steps.kept else "a promise is NOT kept")
    return 0 if steps.kept else 1


if __name__ == "__main__":
    sys.exit(main())
