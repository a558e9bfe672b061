"""``assay logs``: what a local deployment wrote."""

from __future__ import annotations

import click

from pipeline.cli.command import NAME, App, command


@command
@NAME
@click.option("--lines", "-n", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Of each log.")
def logs(app: App, name: str, lines: int) -> int:
    """Show the end of what the keeper of a local deployment wrote, and its engine.

    \b
    assay logs tiny-chat -n 100
    """
    from pipeline.deploy.state import folder_of, read_state
    from pipeline.flow.deploying import standing_of

    session = app.session(offline=True)
    standing_of(session, name)
    folder = folder_of(session.project.state, name)
    state = read_state(folder)
    paths = {"keeper": str(folder / "log"), "engine": state.log if state else ""}
    content = {which: {"file": path, "lines": _tail(path, lines)} for which, path in paths.items() if path}
    text = [line for log in content.values() for line in (f"--- {log['file']}", *log["lines"])]
    app.answer("logs", {"name": name, **content}, "\n".join(text))
    return 0


def _tail(path: str, lines: int) -> list[str]:
    """Return the last lines of a file, read from its end."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - 400 * lines))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
