"""``assay report``: show it."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option("--format", "format_", help="Print this format to stdout instead: html, markdown or json.")
def report(app: App, names: tuple[str, ...], format_: str | None) -> int:
    """Write reports/NAME.html, .md and .json from what is on record: self-contained, fit to print and to show an auditor.

    \b
    assay report tiny-chat
    assay report tiny-chat --format markdown > comment.md
    """
    from pipeline.flow.judge import report_of, write_reports
    from pipeline.report.render import render

    session = app.session(offline=True)
    paths = []
    for name in session.names(names):
        made = report_of(session, session.current(name))
        if format_:
            click.echo(render(made, format_))
        else:
            paths += write_reports(session, made)
    if not format_:
        app.answer("report", {"reports": [str(path) for path in paths]}, "\n".join(map(str, paths)))
    return 0
