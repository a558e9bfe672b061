"""A record as large as that of a big catalog after a year: real runs of tiny-chat, multiplied in SQL.

One model is locked, run and judged by Assay itself. Its rows are then written again for every model, machine and session,
each with other numbers, under the digests of locks that are real ones, and of machines and engines that aren't.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipeline import __version__
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import median
from pipeline.core.canonical import digest_of
from pipeline.core.project import Project
from pipeline.evals.model import Item
from pipeline.flow.judge import judge
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of, record, recorded
from pipeline.lock.argv import compile_argv
from pipeline.lock.load import write_lock
from pipeline.lock.model import Lockfile
from pipeline.record.access import writing
from pipeline.record.model import StageResult
from pipeline.record.rows import to_json
from pipeline.spec.load import find_spec, read_spec

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
SUITES = ("stop-tokens", "tool-calling", "tiny-facts", "tiny-text")
YEAR = 365 * 86_400
OLD_LOCKS = 3
SPEC = """\
name: {name}
source: file:../models/tiny.gguf
license: {{allow: [apache-2.0]}}
engine: {{context: {context}, slots: 4, threads: 1}}
sampling: {{temperature: 0, seed: 0, max_tokens: 128}}
checks: [stop-tokens, tool-calling]
evals: [tiny-facts, tiny-text]
bench: {{prefill: [128], decode: [64], repetitions: 5, budget: 0, streams: [1, 4], requests: 8, max_tokens: 24}}
gates:
  lint: error
  checks: [stop_tokens, {{group: tool_calling, rate: 0.5}}]
  metrics: {{tiny-facts.acc: {{min: 0.4}}, tiny-text.perplexity: {{max: 3}}, bench.decode_tok_s: {{min: 20}}}}
"""
# Other digits in every run, as other machines give; 0 to 3 stay, which number choices.
_ORDERS = ("456789", "567894", "678945", "789456", "894567", "945678", "486975", "594786")
VARIANTS = len(_ORDERS)
_DIGITS = f"translate({{0}}, '456789', {list(_ORDERS)}[1 + variant::INT % {VARIANTS}])"
_VARIED = {"outcomes": "response", "eval_items": "detail", "bench_rows": "detail"}
_DETAILS = {
    "outcomes": "REPLACE (t.seconds * r.speed AS seconds)",
    "metrics": "REPLACE (t.value * r.quality AS value, t.low * r.quality AS low, t.high * r.quality AS high)",
    "eval_items": "",
    "bench_rows": (
        "REPLACE (t.value * r.speed AS value, t.low * r.speed AS low, t.high * r.speed AS high, "
        "list_transform(t.samples, lambda one, nth: one * r.speed * (1 + hash(nth) % 97 / 9700)) AS samples)"
    ),
    "not_judged": "",
    "causes": "",
    "findings": "",
}
COUNTED = (*_DETAILS, "runs", "decisions")
_RUNS = """
CREATE OR REPLACE TEMP TABLE made AS
SELECT s.began + INTERVAL (m.number * 400 + h.number * 17 + t.number * 60) SECOND AS moment,
    strftime(moment, '%Y%m%dT%H%M%S') || '-' || left(md5(concat_ws('/', m.name, h.digest, s.number, t.id)), 8) AS id,
    t.* EXCLUDE (id, number), m.name AS name, h.digest AS machine, s.engine AS engine, m.locks[s.lock] AS lock,
    t.id AS source, (hash(t.id, m.number, h.number, s.number) % $3)::INT AS variant,
    h.speed * m.speed * (0.98 + hash(m.name, h.digest, s.number) % 41 / 1000) AS speed,
    m.quality * (0.99 + hash(m.name, s.number) % 21 / 1000) AS quality
FROM template.runs t, catalog m, (SELECT * FROM sessions WHERE number = $1) s, (SELECT * FROM machines WHERE digest = $2) h
ORDER BY m.number, t.number
"""


@dataclass(frozen=True)
class Catalog:
    """A project with many models, and the rows of one session of one model as templates of all others."""

    session: Session
    locks: dict[str, list[Lockfile]]  # by model, the oldest first; the last is the one that counts
    template: Path
    rows: int

    @property
    def cells(self) -> int:
        return len(self.locks)

    @property
    def machines(self) -> list[str]:
        """Digests of machines; the first is this one."""
        return [str(self.session.hardware.digest), *(str(digest_of(["machine", n])) for n in range(1, 1000))]


def make_catalog(root: Path, models: int) -> Catalog:
    """Write specs and locks for so many models, and run one of them for real, unless that is there already."""
    for name in ("specs", "models"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for suite in SUITES:
        shutil.copytree(ROOT / "evals" / suite, root / "evals" / suite, dirs_exist_ok=True)
    shutil.copy(WEIGHTS, root / "models" / "tiny.gguf")
    names = [f"m{number:03}" for number in range(models)]
    session, first = Session(Project(root)), names[0]
    (root / "specs" / f"{first}.yaml").write_text(SPEC.format(name=first, context=1024))
    made = make_lock(session, first).lock
    locks = {name: list(_locks(session, made, name)) for name in names}
    template = root / "template.duckdb"
    if not template.exists():
        _run(session, locks[first][-1])
        session.project.database.rename(template)
    with duckdb.connect(str(template), read_only=True) as connection:
        counted = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in COUNTED]
    return Catalog(session, locks, template, sum(count for (count,) in counted))  # type: ignore[misc]


def _locks(session: Session, made: Lockfile, name: str) -> Iterator[Lockfile]:
    """Yield a model's locks, by its spec of then and of now; the last one is written."""
    path = session.project.specs / f"{name}.yaml"
    for age in range(OLD_LOCKS, -1, -1):
        path.write_text(SPEC.format(name=name, context=1024 + 256 * age))
        spec = read_spec(find_spec(session.project, name))
        content = made.content() | {"name": name, "spec": spec.content(), "spec_digest": str(digest_of(spec.content()))}
        content["argv"] = list(compile_argv(spec, made.weights.digest))
        lock = Lockfile.model_validate(content)
        weights = lock.files[0].model_copy(update={"size": (hash_of(name) % 90 + 4) << 24})
        lock = lock.model_copy(update={"files": (weights, *lock.files[1:])})
        yield lock
    write_lock(session.project, lock)


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    return int(digest_of(text).hex[:12], 16)


def _run(session: Session, lock: Lockfile) -> None:
    """Run a lock once, and judge it. What the busy machine left without a number gets one: a record of a year has them."""
    fetch_all(session, [session.current(lock.name)])
    runs = [done.run for done in do(session, jobs_of(session, session.current(lock.name)))]
    session.project.database.unlink()
    for one in runs:
        bench = tuple(
            replace(row, value=value, low=None, high=None, inconclusive=False, reason="")
            if row.value is None and (value := _seen(row)) is not None
            else row
            for row in one.result.bench
        )
        record(session, lock, replace(one, result=replace(one.result, bench=bench)))
    judge(session, session.current(lock.name))


def _seen(row: BenchRow) -> float | None:
    """Return what a row without a value would say on a quiet machine; None where nothing was measured at all."""
    seen = row.samples or [one["rate"] for one in row.detail.get("repetitions", ()) if one.get("rate")]
    return median(seen) if seen else row.detail.get("measured")


def fill(catalog: Catalog, database: Path, machines: Sequence[str], sessions: int, *, of: int) -> int:
    """Add so many sessions, the first of ``of`` in a year, of every model on some machines. Returns the rows added."""
    with writing(database) as connection:
        pass
    with _open(catalog, database, machines, of) as connection:
        for number in range(sessions):
            connection.execute("BEGIN")
            for machine in machines:
                _session(connection, number, machine)
            connection.execute("COMMIT")
        connection.execute("CHECKPOINT record")
        counted = [connection.execute(f"SELECT count(*) FROM record.{table}").fetchone() for table in COUNTED]
        return sum(count for (count,) in counted)  # type: ignore[misc]


@contextmanager
def _open(catalog: Catalog, database: Path, machines: Sequence[str], of: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that knows templates, models, machines and sessions."""
    engine = catalog.session.engine.identity
    engines = [str(digest_of(["engine", n])) for n in range(of - 1)] + [str(engine.digest)]
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"ATTACH '{database}' AS record")
        connection.execute(f"ATTACH '{catalog.template}' AS template (READ_ONLY)")
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TEMP TABLE catalog (number INTEGER, name VARCHAR, locks VARCHAR[], quality DOUBLE, speed DOUBLE)"
        )
        for number, (name, locks) in enumerate(catalog.locks.items()):
            many = hash_of(name)
            row = [number, name, [str(lock.digest) for lock in locks], 0.5 + many % 50 / 100, 0.2 + many % 97 / 50]
            connection.execute("INSERT INTO catalog VALUES (?, ?, ?, ?, ?)", row)
            for lock in locks:
                row = [str(lock.digest), name, to_json(lock.content())]
                connection.execute("INSERT INTO record.models VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
        for table in _DETAILS:
            text = _VARIED.get(table)
            changed = f"REPLACE ({_DIGITS.format(text)} AS {text})" if text else ""
            rows = f"(SELECT * FROM template.{table}, range({VARIANTS}) AS variants (variant))"
            connection.execute(f"CREATE TEMP TABLE varied_{table} AS SELECT * {changed} FROM {rows}")
        connection.execute("CREATE TEMP TABLE machines (number INTEGER, digest VARCHAR, speed DOUBLE)")
        content = catalog.session.hardware.content()
        for number, digest in enumerate(machines):
            connection.execute(
                "INSERT INTO machines VALUES (?, ?, ?)", [number, digest, 0.5 + hash_of(digest) % 30 / 20]
            )
            said = content if digest == catalog.machines[0] else content | {"cpu_model": f"Processor {digest[7:11]}"}
            connection.execute(
                "INSERT INTO record.hardware VALUES (?, ?) ON CONFLICT DO NOTHING", [digest, to_json(said)]
            )
        connection.execute("CREATE TEMP TABLE sessions (number INTEGER, began TIMESTAMP, engine VARCHAR, lock INTEGER)")
        for number in range(of):
            nth = 1 + OLD_LOCKS * number // (of - 1)
            began = f"TIMESTAMP '{now}' - INTERVAL ({YEAR * (of - 1 - number) // of + 90_000}) SECOND"
            connection.execute(f"INSERT INTO sessions VALUES (?, {began}, ?, ?)", [number, engines[number], nth])
        for digest in engines:
            said = engine.content() if digest == str(engine.digest) else engine.content() | {"commit": digest[7:47]}
            connection.execute(
                "INSERT INTO record.engines VALUES (?, ?) ON CONFLICT DO NOTHING", [digest, to_json(said)]
            )
        connection.execute("COMMIT")
        yield connection


def _session(connection: duckdb.DuckDBPyConnection, number: int, machine: str) -> None:
    """Write one session of every model on one machine: runs with their rows, and a decision on each model."""
    connection.execute(_RUNS, [number, machine, VARIANTS])
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM record.runs").fetchone() or (0,)
    connection.execute(
        f"INSERT INTO record.runs BY NAME SELECT * EXCLUDE (name, machine, engine, lock, moment, source, variant, speed, quality) "
        f"REPLACE (name AS model, lock AS lock_digest, engine AS engine_digest, machine AS hardware_digest, "
        f"moment AS started, 'sha256:' || sha256(id) AS outputs_digest, '{__version__}' AS assay_version), "
        f"{last} + row_number() OVER () AS number FROM made"
    )
    for table, columns in _DETAILS.items():
        connection.execute(
            f"INSERT INTO record.{table} BY NAME SELECT r.id AS run_id, "
            f"t.* EXCLUDE (run_id, variant) {columns} FROM made r JOIN varied_{table} t "
            "ON t.run_id = r.source AND t.variant = r.variant ORDER BY r.moment, t.position"
        )
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM record.decisions").fetchone() or (0,)
    connection.execute(
        f"INSERT INTO record.decisions BY NAME SELECT t.* REPLACE ('d' || min(r.id) AS id, {last} + min(r.name)[2:]::INT "
        "AS number, r.name AS model, r.lock AS lock_digest, r.engine AS engine_digest, r.machine AS hardware_digest, "
        "max(r.moment) AS decided, list(r.id ORDER BY r.moment) AS run_ids) "
        "FROM made r, template.decisions t GROUP BY ALL"
    )


def long_items(catalog: Catalog, name: str, count: int) -> None:
    """Add a run of a model's first eval with so many items, each with long texts."""
    lock = catalog.locks[name][-1]
    (run,) = [one for one in recorded(catalog.session, lock) if one.key.subject == "tiny-facts"]
    assert run.result.evaluation is not None
    words = [hash_of(str(number)).to_bytes(6).hex() for number in range(1000)]
    texts = [" ".join(words[number % 97 :: 1 + number % 3])[:4000] for number in range(count)]
    items = tuple(
        Item(
            f"long-{number:05}",
            float(number % 5 > 0),
            {"prompt": text, "answer": text[::-1][:2500], "reasoning": text[500:]},
        )
        for number, text in enumerate(texts)
    )
    result = StageResult(evaluation=replace(run.result.evaluation, items=items))
    moment = run.started + timedelta(hours=1)
    record(catalog.session, lock, replace(run, id=f"{moment:%Y%m%dT%H%M%S}-0badcafe", started=moment, result=result))
