"""``assay status``: what should run, against what runs."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.core.errors import DeployError

_UP = ("running", "switching")


@command
@NAMES
@click.option("--deep", is_flag=True, help="Hash every file again, not only those that look otherwise.")
def status(app: App, names: tuple[str, ...], deep: bool) -> int:
    """Compare deployments with the deployment log: process, program, libraries, files, /props. Exit 7 when one drifted.

    \b
    assay status
    assay status tiny-chat --deep
    """
    from pipeline.flow.status import status as status_

    stands = status_(app.session(offline=True), names, deep=deep)
    content = [
        {
            "name": one.name,
            "state": one.word,
            "ok": one.sound,
            "target": one.line.event.target,
            "since": one.line.time,
            "line": one.line.number,
            "lock": one.line.event.lock,
            "weights": list(one.line.event.weights),
            "url": f"{one.state.url}/v1" if one.state and one.state.url and one.word in _UP else None,
            "pid": one.state.engine.pid if one.state and one.state.engine else None,
            "restarts": one.state.restarts if one.state else 0,
            "coming": one.coming.event.lock if one.coming else None,
            "drift": list(one.drift),
            "reason": one.reason,
        }
        for one in stands
    ]
    lines = []
    for one in stands:
        event = one.line.event
        where = f"  {one.state.url}/v1" if one.state and one.word in _UP else ""
        lines.append(f"{one.name}  {one.word}  {event.target}  since {one.line.time[:19]}Z{where}")
        lines.append(f"  weights {event.weights[0]}")
        lines += [f"  going over to line {one.coming.number}: {one.coming.event.weights[0]}"] if one.coming else []
        told = (*one.drift, *((one.reason,) if one.reason and not one.drift else ()))
        lines += [f"  {line}" for said in told for line in said.splitlines()]
    app.answer("status", {"deployments": content}, "\n".join(lines) or "nothing is deployed")
    return 0 if all(one.sound for one in stands) else DeployError.exit_code
