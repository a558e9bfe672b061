"""Markdown for pull requests: the decision, its reasons and the key numbers; the rest folded away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Verdict
from pipeline.compare.model import Change, Flip, Task
from pipeline.compare.say import least, obstructed
from pipeline.record.rates import cases as count_cases
from pipeline.record.rates import merged, tallies
from pipeline.report.model import Report
from pipeline.report.text import duration, number, quantity, signed, visible

SUFFIX = "md"
WRITTEN = True
_MARK = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.UNKNOWN: "❔", Verdict.SKIP: "➖"}
MARK = {"accepted": "✅", "rejected": "❌", "unknown": "❔"}
CHANGE = {
    Change.BETTER: "▲ better",
    Change.WORSE: "▼ worse",
    Change.NOT_SHOWN: "= no difference shown",
    Change.INCOMPARABLE: "❔ incomparable",
}
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_LONGEST = 300
_NAMED = 5


def render(report: Report) -> str:
    """Return GitHub-flavoured Markdown. Text from elsewhere is on one line, escaped, and can neither mention, link
    nor add HTML."""
    return "\n".join(
        [*_decision(report), *_baseline(report), *_groups(report), *_numbers(report), *_folded(report), ""]
    )


def safe(text: str) -> str:
    """Escape for a table cell. A comment parts ``@`` and ``#`` and the start of an address from what follows: no
    mention, no link."""
    line = " ".join(visible(text).split())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(r"\\\1", line)
    return re.sub(r"(?i)(@|#|http|www|ftp)", r"\1<!-- -->", line)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _decision(report: Report) -> Iterator[str]:
    decision = report.decision
    if decision is None:
        yield from (f"### Assay: {safe(report.name)} has not been judged", "")
        return
    aside = ", which is not accepted" if decision.word == "unknown" else ""
    yield from (f"### Assay: {safe(report.name)} {MARK[decision.word]} {decision.word}{aside}", "")
    ordered = sorted(decision.reasons, key=lambda reason: reason.verdict is Verdict.PASS)
    open_reasons = (
        ordered if len(ordered) <= 8 else [reason for reason in ordered if reason.verdict is not Verdict.PASS]
    )
    if open_reasons:
        yield from table(("", "Rule", "Why"), ((_MARK[r.verdict], safe(r.rule), safe(r.said)) for r in open_reasons))
    passed = len(ordered) - len(open_reasons)
    if passed:
        words = (
            f"All {passed} rules pass."
            if not open_reasons
            else f"{passed} more {'rule' if passed == 1 else 'rules'} passed."
        )
        yield from (words, "")


def _baseline(report: Report) -> Iterator[str]:
    """How the model did against its accepted baseline, and why that is so."""
    if report.baseline is None:
        return
    found = report.baseline.comparison
    since, reason = safe(report.baseline.since), safe(report.baseline.reason)
    yield from (f"**Against the baseline of {since} ({reason}): {CHANGE[found.verdict]}**", "")
    if found.same_runs:
        yield from ("Nothing was run since: both are the same runs.", "")
    elif found.tasks:
        head = ("", "Suite", "Metric", "Before", "Now", "Difference", "p", "Why")
        yield from table(head, (_compared(task) for task in found.tasks))
    alone = ((found.a, found.only_a), (found.b, found.only_b))
    told = [f"Only on record for {safe(side)}: {safe(', '.join(names))}." for side, names in alone if names]
    yield from (*told, *([""] if told else []))


def _compared(task: Task) -> Sequence[str]:
    begin = (CHANGE[task.verdict], safe(f"{task.stage} {task.name}"))
    if task.difference is None:
        return (*begin, *("—",) * 5, safe(obstructed(task)))
    low, high = (None if one is None else signed(one) for one in (task.low, task.high))
    interval = "" if low is None or high is None else f" ({low} to {high})"
    numbers = (number(task.a), number(task.b), f"{signed(task.difference)}{interval}")
    p = number(task.p_holm if task.p_holm is not None else task.p)
    return (*begin, safe(task.metric), *numbers, p, safe(f"{task.n} pairs{_why(task)}"))


def _why(task: Task) -> str:
    if task.verdict is Change.NOT_SHOWN:
        return f"; {least(task)}"
    pairs = (("fail now", task.broken), ("pass now", task.mended))
    return "".join(f"; {word}: {_first(flips)}" for word, flips in pairs if flips)


def _first(flips: Sequence[Flip]) -> str:
    more = f" and {len(flips) - _NAMED} more" if len(flips) > _NAMED else ""
    return ", ".join(flip.id for flip in flips[:_NAMED]) + more


def _numbers(report: Report) -> Iterator[str]:
    evals = [
        (safe(run.key.subject), safe(m.name), safe(quantity(m.value, m.unit)), _interval(m.low, m.high), number(m.n))
        for run in report.of_stage("eval")
        if run.result.evaluation
        for m in run.result.evaluation.metrics
    ]
    if evals:
        yield from table(("Suite", "Metric", "Value", "95 % interval", "n"), evals)
    rows = [
        (safe(row.metric), safe(row.test), safe(quantity(row.value, row.unit)), safe(row.reason or _noise(row)))
        for run in report.of_stage("bench")
        for row in run.result.bench
    ]
    if rows:
        yield from table(("Benchmark", "Setting", "Median", ""), rows)


def _noise(row: BenchRow) -> str:
    noise = row.detail.get("noise")
    return f"noisy: {noise}" if noise else ""


def _interval(low: float | None, high: float | None) -> str:
    return "—" if low is None or high is None else f"{number(low)} to {number(high)}"


def _groups(report: Report) -> Iterator[str]:
    """What the groups of check cases come to, and what is likely behind their faults."""
    results = [run.result for run in report.of_stage("check")]
    tally = [
        (
            *(safe(one.group), f"{one.passed} of {one.trials}", number(one.rate)),
            *(
                _interval(*one.interval) if one.trials else "—",
                safe(", ".join(f"{n} {grade}" for grade, n in one.grades)),
            ),
        )
        for one in tallies(outcome for result in results for outcome in result.outcomes)
    ]
    if tally:
        yield from table(("Group", "Trials passed", "Rate", "95 % interval", "Attempts by grade"), tally)
    causes = [(safe(c.words), safe(c.advice), safe(c.known)) for result in results for c in result.causes]
    if causes:
        yield from table(("Likely cause", "Do", "As in"), causes)


def _folded(report: Report) -> Iterator[str]:
    findings = [
        (f.severity.value, safe(f.code), safe(f.message), safe(f.fix))
        for run in report.of_stage("lint")
        for f in run.result.findings
    ]
    if findings:
        yield from _fold(f"Lint: {len(findings)} finding(s)", table(("Severity", "Code", "Finding", "Fix"), findings))
    why = [(safe(one.code), safe(one.reason)) for run in report.of_stage("lint") for one in run.result.not_judged]
    if why:
        yield from _fold(f"Lint: {len(why)} rule(s) could not judge", table(("Code", "Why"), why))
    cases = [o for run in report.of_stage("check") for o in run.result.outcomes]
    if cases:
        passed, all_, skipped = count_cases(cases)
        shown = (
            (_MARK[o.verdict], safe(f"{o.suite}/{o.name}"), safe(o.diagnosis), duration(o.seconds), str(others + 1))
            for o, others in merged(cases)
        )
        aside = f", {skipped} not applicable" if skipped else ""
        head = ("", "Case", "Diagnosis", "Time", "Attempts")
        yield from _fold(f"Checks: {passed} of {all_} passed{aside}", table(head, shown))
    chain = ((link.title, safe(name), f"`{digest}`") for link in report.chain for name, digest in link.entries)
    yield from _fold("Chain of digests", table(("Step", "What", "Digest"), chain))
    commands = "\n".join(command.command for command in report.commands)
    yield from _fold("Reproduce", ("```sh", commands, "```", ""))
    yield f"<sub>assay {safe(report.version)}, {report.generated.isoformat(timespec='seconds')}</sub>"


def _fold(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"<details><summary>{title}</summary>", "", *lines, "</details>", "")
