"""What lint found against the worst severity that is allowed: by a spec, or by the catalog's policy."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.checks.model import Verdict
from pipeline.gate.groups import plural
from pipeline.lint.model import above
from pipeline.record.model import Reason, Run


def judge_lint(allowed: str, runs: Sequence[Run]) -> Reason:
    """Return whether lint has been run and found nothing graver than ``allowed``, and why."""
    rule = "lint: no finding" if allowed == "none" else f"lint: nothing worse than {allowed}"
    run = next((run for run in runs if run.key.stage == "lint"), None)
    if run is None:
        return Reason(rule, Verdict.UNKNOWN, "lint has not been run")
    if worse := above(run.result.findings, allowed):
        said = "; ".join(f"{finding.code} ({finding.severity.value}): {finding.message}" for finding in worse)
        return Reason(rule, Verdict.FAIL, said)
    if said := _unasked(run):
        return Reason(rule, Verdict.UNKNOWN, said)
    count = len(run.result.findings)
    found = f"{count} {plural(count, 'finding')}, none worse than allowed" if count else "no findings"
    return Reason(rule, Verdict.PASS, found)


def _unasked(run: Run) -> str:
    """Say which rules of lint had nothing to judge by, though they are meant for the model; "" where there is none."""
    found = [one for one in run.result.not_judged if one.unasked]
    if not found:
        return ""
    codes = ", ".join(one.code for one in found)
    return f"{codes} could not judge: {found[0].reason}; run lint again: assay run {run.model} --force"
