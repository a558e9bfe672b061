"""What ``assay deploy`` and ``assay rollback`` say: of what is in service now, and of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.command import App

if TYPE_CHECKING:
    from pipeline.deploy.plan import Plan
    from pipeline.flow.deploying import Deployed


def show(app: App, schema: str, done: Deployed) -> None:
    """Print what was put into service."""
    event, state = done.line.event, done.state
    content = {
        "name": event.name,
        "target": event.target,
        "line": done.line.number,
        "digest": done.line.digest,
        "lock": event.lock,
        "engine": event.engine,
        "weights": list(event.weights),
        "decision": event.decision,
        "override": event.override,
        "url": f"{state.url}/v1" if state else None,
        "models": list(state.models) if state else [],
        "key_file": state.key_file if state else None,
        "files": event.files,
        "steps": list(done.plan.steps),
    }
    lines = [
        f"{event.name} is deployed: {event.target}, line {done.line.number} of the log",
        f"  lock     {event.lock}",
    ]
    lines += [f"  decision {event.decision['id']}"] if event.decision else []
    lines += [f"  override {event.override}"] if event.override else []
    if state:
        lines += [f"  url      {state.url}/v1", f"  model    {state.models[0]}", f"  API key  in {state.key_file}"]
        lines += [f"see it: assay status {event.name}    stop it: assay stop {event.name}"]
    else:
        lines += [f"  wrote    {event.options['output']}/{file}" for file in event.files]
        lines += ["then:", *(f"  {step}" for step in done.plan.steps)]
    app.answer(schema, content, "\n".join(lines))


def show_plan(app: App, planned: Plan, verdict: str) -> None:
    """Print what would be put into service; ``verdict`` is the gate's."""
    content = {
        "name": planned.name,
        "target": planned.target,
        "argv": list(planned.argv),
        "env": planned.env,
        "files": planned.files,
        "steps": list(planned.steps),
        "decision": verdict,
    }
    lines = [f"{planned.name} to {planned.target}; the gate's decision: {verdict}"]
    for name, text in planned.files.items():
        lines += [f"--- {name}", text.rstrip("\n")]
    lines += ["--- engine", " ".join(planned.argv), "--- steps", *planned.steps]
    app.answer("plan", content, "\n".join(lines))
