"""``assay run``: the main job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.command import NAMES, App, command, error_content, show
from pipeline.core.errors import EngineError

if TYPE_CHECKING:
    from pipeline.flow.run import Ran
    from pipeline.lint.model import Finding


@command
@NAMES
@click.option("--force", is_flag=True, help="Repeat what is on record for the same digests.")
@click.option("--offline", is_flag=True, help="Fetch nothing from the network.")
def run(app: App, names: tuple[str, ...], force: bool, offline: bool) -> int:
    """Do all of it: lock --check, fetch, verify, lint, check, eval, bench, gate, report. The exit code is the worst of
    all models.

    \b
    assay run tiny-chat
    assay run                    the whole catalog
    assay run --json | jq '.models[] | select(.accepted | not)'
    """
    from pipeline.cli.console import progress_for
    from pipeline.flow.run import run as run_one
    from pipeline.flow.site import refresh

    session = app.session(offline=offline)
    board = session.progress = progress_for(app.quiet)
    chosen = session.names(names)
    done = []
    page = None
    with board.shown():
        try:
            for name in chosen:
                lead = f"{name}  " if len(chosen) > 1 else ""

                def told(step: str, state: str, detail: str, lead: str = lead) -> None:
                    board.step(lead + step, state, detail)

                done.append(run_one(session, name, force=force, told=told))
        finally:  # also when it is interrupted: what was finished is on record and has its report
            if any(ran.reports for ran in done):
                page = refresh(session)
    lines = [line for ran in done for line in _lines(ran)] + ([f"catalog  {page}"] if page else [])
    content = {"models": [_content(ran) for ran in done], "catalog": str(page) if page else None}
    app.answer("run", content, "\n".join(lines))
    for ran in done:
        if ran.error:
            show(ran.error)
    return max(ran.exit_code for ran in done)


def _accepted(ran: Ran) -> bool:
    return ran.decision is not None and ran.decision.accepted


def _lines(ran: Ran) -> Iterator[str]:
    state = "failed" if ran.error or ran.decision is None else ran.decision.word
    reused = sum(done.reused for done in ran.done)
    yield f"{ran.name}: {state} in {ran.seconds:.1f} s, {reused} of {len(ran.done)} results were on record"
    for reason in ran.decision.reasons if ran.decision else ():
        yield f"  {reason.verdict:7} {reason.rule}: {reason.said}"
    for finding in _suspects(ran):
        yield f"  {finding.severity:7} {finding.code} {finding.message}"
    for path in ran.reports:
        yield f"  report  {path}"


def _suspects(ran: Ran) -> list[Finding]:
    """Return what lint found that may be why the engine failed later."""
    found = [finding for done in ran.done for finding in done.run.result.findings]
    return [one for one in found if one.severity == "error"] if isinstance(ran.error, EngineError) else []


def _content(ran: Ran) -> dict[str, Any]:
    from pipeline.cli.stage import run_content

    return {
        "name": ran.name,
        "accepted": _accepted(ran),
        "exit_code": ran.exit_code,
        "seconds": ran.seconds,
        "error": error_content(ran.error) if ran.error else None,
        "decision": asdict(ran.decision) if ran.decision else None,
        "runs": [run_content(done) for done in ran.done],
        "reports": [str(path) for path in ran.reports],
    }
