"""``assay report``: show it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.turns import Turns

if TYPE_CHECKING:
    from pipeline.flow.session import Session


@command
@NAMES
@click.option("--format", "format_", metavar="FORMAT", help="Print one model's report in this format instead.")
@click.option("--serve", is_flag=True, help="Show the reports that there are in a browser, on loopback, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), help="With --serve: the port. Default: a free one.")
def report(app: App, names: tuple[str, ...], format_: str | None, serve: bool, port: int | None) -> int:
    """Write a static site to reports/ from what is on record: index.html is the catalog; each model has NAME.html, .md and
    .json; machines, comparisons and the items of large suites have pages of their own. Every page is self-contained, fit to
    print and to show an auditor. Without names: all models.

    --format prints one of html, markdown, json, junit, prometheus, csv or badge (SVG); markdown also for several models, as
    one comment on a pull request: a table of all, then as many reports as there is room for.

    \b
    assay report
    assay report tiny-chat
    assay report --serve
    assay report --format markdown > comment.md
    assay report tiny-chat --format junit > junit.xml
    """
    from pipeline.core.errors import UsageError
    from pipeline.flow.site import write_site

    session = app.session(offline=True)
    if serve and (names or format_):
        raise UsageError("--serve shows what was written before", hint="assay report NAME, then: assay report --serve")
    if port is not None and not serve:
        raise UsageError("--port belongs to --serve", hint="assay report --serve --port PORT")
    if serve:
        return _serve(app, session, port or 0)
    if format_ is not None:
        from pipeline.flow.judge import report_of
        from pipeline.report.render import format_of, render

        format_of(format_)  # before anything is read or judged
    chosen = session.names(names)
    if format_ is not None:
        if format_ == "markdown" and len(chosen) != 1:
            text = _comment(session, chosen, all_=not names)
            app.answer("report", {"names": chosen, "format": format_, "text": text}, text.rstrip("\n"), exact=True)
            return 0
        if len(chosen) != 1:
            raise UsageError(f"--format {format_} prints one report", hint=f"name one of: {', '.join(chosen)}")
        text = render(report_of(session, session.current(chosen[0])), format_)
        content = {"name": chosen[0], "format": format_, "text": text}
        app.answer("report", content, text.rstrip("\n"), exact=True)
        return 0
    turns = Turns(chosen)
    with turns:
        alone = len(names) == 1
        paths = [str(path) for path in write_site(session, chosen, None if alone else turns.errors)]
    app.answer("report", {"reports": paths, "errors": turns.content()}, "\n".join(paths))
    if names:
        return turns.end()
    for name, error in turns.errors:
        session.progress.note(f"{name}: no report: {error.message}")
    return 0


def _comment(session: Session, names: list[str], *, all_: bool) -> str:
    from pipeline.core.errors import AssayError
    from pipeline.flow.judge import report_of
    from pipeline.report.comment import comment

    found, missing = [], []
    for name in names:
        try:
            found.append(report_of(session, session.current(name)))
        except AssayError as error:
            if not all_:
                raise
            missing.append((name, error.message))
    return comment(found, missing)


def _serve(app: App, session: Session, port: int) -> int:
    from pipeline.core.errors import UsageError
    from pipeline.report.serve import INDEX, served

    folder = session.project.reports
    if not (folder / INDEX).is_file():
        raise UsageError(f"there is no {folder / INDEX}", hint="write the reports first: assay report")
    with served(folder, port) as server:
        host, listens = server.server_address[:2]
        url = f"http://{host!s}:{listens}/"
        app.answer("report", {"url": url}, url, must=True)
        sys.stdout.flush()
        session.progress.note("Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            session.progress.note("ended")
    return 0
