"""The static site in ``reports/``: a page for each model, for items of large suites, machines and comparisons, and the catalog.

Every page is a file of its own that loads nothing; links between them are relative, so the folder may be moved or published.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.compare.model import Comparison
from pipeline.core.errors import AssayError
from pipeline.core.files import atomic_write
from pipeline.flow.catalog import catalog
from pipeline.flow.judge import report_of, write_reports
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.record.access import keeping
from pipeline.record.history import bench_of, first_metrics, machines
from pipeline.report.build import facts_of
from pipeline.report.formats.html import shown_decision
from pipeline.report.model import Pages, Report
from pipeline.report.site.items import file_of, large, paged
from pipeline.report.site.model import OF_CATALOG, OF_MACHINES, Catalog, Entry, Link, Machine, Measured
from pipeline.report.site.render import catalog_page, compare_page, items_page, machine_page
from pipeline.spec.load import spec_files

if TYPE_CHECKING:
    from pipeline.flow.catalog import Entry as Judged

INDEX = "index.html"


@dataclass(frozen=True)
class Made:
    """When a page was made, and by which version."""

    generated: datetime
    version: str = __version__


def write_site(
    session: Session, names: Sequence[str], left_out: list[tuple[str, AssayError]] | None = None
) -> list[Path]:
    """Write the reports of some models, then machines and catalog; returns the files. With ``left_out`` a model that can't
    be reported is told there, and in the catalog, and the others are written all the same. Raises what the first one
    raises otherwise.
    """
    written: list[Path] = []
    for name in names:
        try:
            written += write_model(session, report_of(session, session.current(name)))
        except AssayError as error:
            if left_out is None:
                raise
            left_out.append((name, error))
    return [*written, *write_machines(session), write_index(session)]


def refresh(session: Session) -> Path | None:
    """Write what shows all models together anew, so that it agrees with the reports of some that were just written: the catalog and
    the page of this machine. Returns the catalog; what keeps it from being written is told, and None returned.
    """
    try:
        write_machines(session, here_only=True)
        return write_index(session)
    except AssayError as error:
        session.progress.note(f"no catalog: {error.message}")
        return None


def write_model(session: Session, report: Report, *, again: bool = True) -> list[Path]:
    """Write a model's report, and the items of its large suites. It links to catalog and machine, so write them too. ``again`` as in
    ``write_reports``.
    """
    folder = session.project.reports
    long = [run for run in report.runs if large(run)]
    items, kept = folder / "items" / report.name, set[Path]()
    for run in long:
        for page in paged(run, f"{report.name}.html", report.generated, report.version):
            kept.add(items / page.file)
            atomic_write(items / page.file, items_page(page))
    for path in items.glob("*.html"):
        if path not in kept:
            path.unlink()
    first = {run.id: f"items/{report.name}/{file_of(run, 1)}" for run in long}
    pages = Pages(INDEX, _machine_file(str(session.hardware.digest)), first)
    written = write_reports(session, replace(report, pages=pages), again=again)
    return [*written, *(folder / href for href in first.values())]


def write_machines(session: Session, *, here_only: bool = False) -> list[Path]:
    """Write a page for every class of hardware on record, and this one; or for this one alone."""
    with keeping(session.project.database):
        return _write_machines(session, here_only)


def _write_machines(session: Session, here_only: bool) -> list[Path]:
    reports, written = session.project.reports, list[Path]()
    here, now = str(session.hardware.digest), datetime.now(UTC)
    known = machines(session.project.database)
    if all(digest != here for digest, _, _ in known):
        known.append((here, session.hardware.content(), []))
    for digest, content, newest in (one for one in known if one[0] == here or not here_only):
        rows = bench_of(session.project.database, [one.run for one in newest], OF_MACHINES)
        measured = tuple(
            Measured(
                *(one.model, one.lock_digest, one.engine_digest, one.started, rows.get(one.run, ())),
                page=f"../{one.model}.html" if (reports / f"{one.model}.html").is_file() else "",
            )
            for one in newest
        )
        machine = Machine(digest, tuple(facts_of(content)), measured, digest == here, now, __version__)
        path = reports / _machine_file(digest)
        atomic_write(path, machine_page(machine, _machine_name(content)))
        written.append(path)
    return written


def write_index(session: Session) -> Path:
    """Write the catalog of all specs, and links to the machines and comparisons that have pages."""
    with keeping(session.project.database):
        return _write_index(session)


def _write_index(session: Session) -> Path:
    reports = session.project.reports
    judged = catalog(session, [path.stem for path in spec_files(session.project)])
    ids = [id for one in judged if one.decision for id in one.decision.run_ids]
    scores, speeds = first_metrics(session.project.database, ids), bench_of(session.project.database, ids, OF_CATALOG)
    entries = []
    for one in judged:
        mine = one.decision.run_ids if one.decision else ()
        entries.append(
            replace(
                _entry(session, one),
                scores={f"{suite}.{m.name}": m for suite, m in (scores[id] for id in mine if id in scores)},
                bench=tuple(row for id in mine for row in speeds.get(id, ())),
            )
        )
    here = str(session.hardware.digest)
    found = [
        Link(
            _machine_name(content),
            _machine_file(digest),
            "this machine" if digest == here else f"hardware {digest[7:19]}",
        )
        for digest, content, _ in machines(session.project.database)
        if (reports / _machine_file(digest)).is_file()
    ]
    compared = [
        Link(path.stem.replace("--", " and "), f"compare/{path.name}")
        for path in sorted((reports / "compare").glob("*.html"))
    ]
    made = Catalog(entries, found, compared, datetime.now(UTC), __version__)
    atomic_write(reports / INDEX, catalog_page(made))
    return reports / INDEX


def write_comparison(session: Session, comparison: Comparison, a: str, b: str) -> Path:
    """Write the page of a comparison, and name it in the catalog."""
    one, other = (re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") for name in (a, b))
    path = session.project.reports / "compare" / f"{one}--{other}.html"
    atomic_write(path, compare_page(comparison, Made(datetime.now(UTC))))
    write_index(session)
    return path


def _entry(session: Session, judged: Judged) -> Entry:
    page = session.project.reports / f"{judged.name}.html"
    there = page.is_file()
    entry = Entry(
        *(judged.name, judged.state.value, judged.why, judged.fix, judged.waived),
        page=page.name if there else "",
        behind=there and judged.decision is not None and shown_decision(page) != judged.decision.id,
        decided=judged.decision.decided if judged.decision else None,
    )
    try:
        lock = read_lock(session.project, judged.name)
    except AssayError:
        return entry
    quantization, parameters = lock.gguf.get("quantization"), lock.gguf.get("parameters")
    return replace(
        entry,
        size=sum(file.size for file in lock.files),
        quantization=str(quantization or ""),
        parameters=parameters if isinstance(parameters, int) else None,
    )


def _machine_file(digest: str) -> str:
    return f"hardware/{re.sub('[^0-9a-f]', '', digest.removeprefix('sha256:'))[:12]}.html"


def _machine_name(content: dict[str, object]) -> str:
    gpus = content.get("gpus")
    names = (
        [str(gpu["name"]) for gpu in gpus if isinstance(gpu, dict) and "name" in gpu] if isinstance(gpus, list) else []
    )
    return " + ".join([str(content.get("cpu_model") or "unknown processor"), *names])
