"""``assay report``: show it."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option("--format", "format_", help="Print one model's report in this format instead: html, markdown or json.")
def report(app: App, names: tuple[str, ...], format_: str | None) -> int:
    """Write reports/NAME.html, .md and .json from what is on record: self-contained, fit to print and to show an
    auditor.

    \b
    assay report tiny-chat
    assay report tiny-chat --format markdown > comment.md
    """
    from pipeline.core.errors import UsageError
    from pipeline.flow.judge import report_of, write_reports
    from pipeline.report.render import render

    session = app.session(offline=True)
    chosen = session.names(names)
    if format_:
        if len(chosen) != 1:
            raise UsageError("--format prints one report", hint=f"name one of: {', '.join(chosen)}")
        text = render(report_of(session, session.current(chosen[0])), format_)
        content = {"name": chosen[0], "format": format_, "text": text}
        app.answer("report", content, text.rstrip("\n"), exact=True)
        return 0
    paths = [str(path) for name in chosen for path in write_reports(session, report_of(session, session.current(name)))]
    app.answer("report", {"reports": paths}, "\n".join(paths))
    return 0
