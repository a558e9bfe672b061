"""A whole site of sample values in a folder: every sort of page, as the program names and links them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pipeline.bench.model import BenchRow
from pipeline.compare.judge import compare
from pipeline.compare.model import Comparison, Side
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.record.model import Run, StageResult
from pipeline.report.build import facts_of
from pipeline.report.formats import html
from pipeline.report.model import Accepted, Pages, Report, Trend, Value
from pipeline.report.site.items import paged
from pipeline.report.site.model import Catalog, Entry, Link, Machine, Measured
from pipeline.report.site.render import catalog_page, compare_page, items_page, machine_page
from tests import factories as make
from tests.report import samples

REPETITIONS = [
    {"rate": 812.6, "seconds": 0.04, "share": 0.99, "against": [], "missing": {"joules": "no such sensor"}},
    {"rate": 401.1, "seconds": 0.08, "share": 0.51, "against": ["its threads ran 51% of the time"], "missing": {}},
]


def bench_rows() -> tuple[BenchRow, ...]:
    """Rows with curves over streams and depth, limits, shares, energy and repetitions that were left out."""
    speeds = [
        BenchRow(
            "engine",
            test,
            metric,
            value,
            "tok/s",
            (value,),
            "",
            {"repetitions": REPETITIONS},
            value * 0.98,
            value * 1.02,
        )
        for test, metric, value in (
            *(("pp128", "prefill_tok_s", 4211.4), ("pp128+d512", "prefill_tok_s", 3100.0)),
            *(("tg32", "decode_tok_s", 812.6), ("tg32+d512", "decode_tok_s", 610.0)),
        )
    ]
    service = [
        BenchRow("service", f"streams={n}", metric, value * n**0.5, unit, (value,))
        for n in (1, 2, 4)
        for metric, value, unit in (("total_tok_s", 600.0, "tok/s"), ("ttft_ms", 9.8, "ms"))
    ]
    machine = [
        BenchRow("machine", "threads=2", "memory_bandwidth", 2.1e10, "bytes/s"),
        BenchRow("machine", "threads=2", "arithmetic", 9.5e10, "operations/s"),
        BenchRow("machine", "tg32", "decode_bandwidth_share", 0.15, "share", (), "", {"each_token": 3.9e6}),
        BenchRow("machine", "pp128", "prefill_arithmetic_share", 0.25, "share", (), "", {"each_token": 5.6e6}),
    ]
    energy = [BenchRow("engine", "tg32", "energy_per_token", None, "J", (), "this machine has no such sensor")]
    slowed = [row for row in make.bench_rows() if row.inconclusive]
    return (*speeds, *slowed, *service, *machine, *energy)


def comparison() -> Comparison:
    """A comparison in which one suite is worse, and another can't be compared."""
    lock = make.lock()
    runs = tuple(run for run in make.sound_runs(lock) if run.key.stage in ("check", "eval"))
    result = EvalResult("tiny-choice", "multiple_choice", make.choice(29).metrics, make.choice(29).items)
    worse = tuple(
        replace(run, id=f"new-{run.id}", result=StageResult(evaluation=result))
        if run.key.subject == "tiny-choice"
        else run
        for run in runs
    )
    other = [
        replace(run, key=replace(run.key, hardware_digest="sha256:x")) if run.key.stage == "check" else run
        for run in worse
    ]
    return compare(Side("tiny-chat (baseline)", lock, runs), Side("tiny-chat", lock, tuple(other)))


def large_run() -> Run:
    """An eval of 1,100 items, of which some are wrong and one is hostile."""
    items = [Item(samples.HOSTILE, 0.0, {"prompt": samples.HOSTILE, "answer": samples.HOSTILE})]
    items += [Item(f"q{i}", float(i % 10 > 0), {"prompt": f"Question {i}?", "answer": "yes"}) for i in range(1_099)]
    result = EvalResult("tiny-choice", "generate", (Metric("acc", 0.9, "share", 0.88, 0.92, 1_100),), tuple(items))
    return make.run(make.lock(), "eval", "tiny-choice", StageResult(evaluation=result))


def model_report() -> Report:
    """A report with everything that a report may show."""
    report = samples.rejected()
    assert report.decision is not None
    bench = make.run(report.lock, "bench", "bench", StageResult(bench=bench_rows()))
    reasons = tuple(
        replace(one, waived="accepted by ada, until 2027-01-01: known") for one in report.decision.reasons[:1]
    )
    values = tuple(Value(f"2026-03-{day:02d} 09:00", 800.0 - 40 * (day > 8), 790.0, 815.0) for day in range(1, 17))
    large = large_run()
    runs = [run for run in report.runs if run.key.stage != "bench" and run.key.subject != "tiny-choice"]
    return replace(
        report,
        runs=(*runs, large, bench),
        decision=replace(
            report.decision, reasons=(*reasons, *report.decision.reasons[1:]), run_ids=(bench.id, large.id)
        ),
        baseline=Accepted("2026-03-01", "first release", comparison()),
        trends=(Trend("bench.decode_tok_s@tg32", "tok/s", values, (8,)),),
        pages=Pages("index.html", "hardware/hardware.html", {large.id: "items/tiny-chat/tiny-choice-1.html"}),
    )


def catalog() -> Catalog:
    """Models in every state, one of them hostile in all that it says."""
    scores = {"tiny-choice.acc": Metric("acc", 0.9, "share", 0.85, 0.94, 40)}
    rows = bench_rows()
    full = Entry(
        *("tiny-chat", "accepted", (), "", ("lint: no finding: accepted by ada",)),
        page="tiny-chat.html",
        decided=make.NOW,
        size=3_912_448,
        parameters=2_804_992,
        quantization="Q8_0",
        scores=scores,
        bench=rows,
    )
    faster = replace(
        full, name="tiny-q4", state="rejected", why=("fail tiny-choice.acc: 0.5",), fix="assay check tiny-q4"
    )
    faster = replace(
        faster,
        size=1_900_000,
        quantization="Q4_K_M",
        bench=tuple(replace(row, value=row.value and row.value * 1.4) for row in rows),
    )
    faster = replace(faster, scores={"tiny-choice.acc": Metric("acc", 0.5, "share", 0.4, 0.6, 40)})
    hostile = Entry(
        "zoo", "unknown", (samples.HOSTILE,) * 5, samples.HOSTILE, (samples.HOSTILE,), quantization=samples.HOSTILE
    )
    stale = Entry("old", "stale", ("the lock changed since it was accepted on 2026-01-01",), "assay run old", size=10)
    machines = [Link("AMD EPYC 7B13", "hardware/hardware.html", "this machine")]
    return Catalog([full, faster, hostile, stale], machines, [Link("a and b", "compare/a--b.html")], make.NOW, "0.1.0")


def machine() -> Machine:
    """A machine on which two models were measured, the older one before."""
    measured = [
        Measured("tiny-chat", make.ENGINE, make.ENGINE, make.NOW, bench_rows(), "../tiny-chat.html"),
        Measured("tiny-q4", make.ENGINE, make.ENGINE, make.NOW - timedelta(days=1), make.bench_rows()),
    ]
    return Machine(make.HARDWARE, tuple(facts_of(make.HARDWARE_CONTENT)), tuple(measured), True, make.NOW, "0.1.0")


def write(folder: Path) -> list[Path]:
    """Write the site; returns its pages."""
    pages = {
        "index.html": catalog_page(catalog()),
        "tiny-chat.html": html.render(model_report()),
        "hardware/hardware.html": machine_page(machine(), "AMD EPYC 7B13 + NVIDIA L4"),
        "compare/a--b.html": compare_page(comparison(), machine()),
        "hostile.html": html.render(samples.hostile()),
    }
    for page in paged(large_run(), "tiny-chat.html", make.NOW, "0.1.0"):
        pages[f"items/tiny-chat/{page.file}"] = items_page(page)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [folder / name for name in pages]
