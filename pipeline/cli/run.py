"""``assay run``: the main job."""

from __future__ import annotations

from dataclasses import asdict

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option("--force", is_flag=True, help="Repeat what is on record for the same digests.")
@click.option("--offline", is_flag=True, help="Fetch nothing from the network.")
def run(app: App, names: tuple[str, ...], force: bool, offline: bool) -> int:
    """Do all of it: lock --check, fetch, verify, lint, check, eval, bench, gate, report. The exit code is the worst of all models.

    \b
    assay run tiny-chat
    assay run                    the whole catalog
    assay run --json | jq '.models[] | select(.accepted | not)'
    """
    from pipeline.cli.console import progress_for
    from pipeline.cli.main import show
    from pipeline.cli.stage import run_content
    from pipeline.flow.run import run as run_one

    session = app.session(offline=offline)
    board = session.progress = progress_for(app.quiet)
    answers, lines, code = [], [], 0
    chosen = session.names(names)
    with board.shown(keep=True):
        for name in chosen:
            lead = f"{name}  " if len(chosen) > 1 else ""
            ran = run_one(session, name, force=force, told=lambda step, state, detail, lead=lead: board.step(lead + step, state, detail))
            code = max(code, ran.exit_code)
            reused = sum(done.reused for done in ran.done)
            accepted = ran.decision is not None and ran.decision.accepted
            state = "failed" if ran.error else "accepted" if accepted else "rejected"
            lines.append(f"{name}: {state} in {ran.seconds:.1f} s, {reused} of {len(ran.done)} results were on record")
            if ran.error:
                show(ran.error)
            elif ran.decision:
                lines += [f"  {reason.verdict:7} {reason.rule}: {reason.message}" for reason in ran.decision.reasons]
            lines += [f"  report  {path}" for path in ran.reports]
            answers.append(
                {
                    "name": name,
                    "accepted": accepted,
                    "exit_code": ran.exit_code,
                    "seconds": ran.seconds,
                    "error": {"message": ran.error.message, "hint": ran.error.hint} if ran.error else None,
                    "decision": asdict(ran.decision) if ran.decision else None,
                    "runs": [run_content(done) for done in ran.done],
                    "reports": [str(path) for path in ran.reports],
                }
            )
    app.answer("run", {"models": answers}, "\n".join(lines))
    return code
