"""``assay tune``: find better engine settings for this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.command import NAME, App, command

if TYPE_CHECKING:
    from pipeline.bench.tune import Trial
    from pipeline.flow.tuning import Tuning


@command
@NAME
@click.option(
    "--goal",
    type=click.Choice(["latency", "throughput", "memory"]),
    default="latency",
    show_default=True,
    help="Less time for one request, more tokens a second over all slots, or less memory.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="Seconds for the search; what runs when they are over ends first.",
)
@click.option("--write", is_flag=True, help="Write the settings found into the spec; comments and layout stay.")
def tune(app: App, name: str, goal: str, budget: float, write: bool) -> int:
    """Search engine settings that serve a goal better on this machine: threads, batch, micro-batch, KV cache, flash attention,
    GPU layers, slots. Settings are measured in turn with the present ones; one counts if the intervals part by more than 2 %.
    What may change outputs must keep the KL divergence from the default settings within 0.01 nats.

    \b
    assay tune tiny-chat                                        propose settings for one user
    assay tune tiny-chat --goal throughput --budget 600         for many
    assay tune tiny-chat --goal memory --write                  and write them, then: assay lock tiny-chat
    """
    from pipeline.bench.tune import content
    from pipeline.flow.tuning import tune as search

    session = app.session()
    found = search(session, name, goal, budget=budget, write=write, told=lambda one: session.progress.note(_line(one)))
    answer = {"name": name, "written": found.written, **content(found.tuned, found.goal), "engine_layer": found.engine}
    app.answer("tune", answer | {"yaml": _yaml(found.tuned.changes)}, "\n".join(_lines(found)))
    return 0


def _lines(found: Tuning) -> Iterator[str]:
    tuned, goal = found.tuned, found.goal
    more = "" if tuned.complete else "; the time was over before the search was"
    yield f"{found.name}: {len(tuned.trials)} settings tried for {goal.name} ({goal.metric} in {goal.unit}){more}"
    yield from (f"  {_line(trial)}" for trial in tuned.trials)
    for row in found.engine:
        yield f"  llama-bench {row['test']}, before and after: {row['verdict']}: {row['why']}"
    if not tuned.changes:
        yield "nothing was shown to be better: the spec's settings stay"
        return
    yield _yaml(tuned.changes).rstrip()
    done = f"written to {found.spec.name}" if found.written else f"--write puts this into {found.spec.name}"
    yield f"  -> {done}, then: assay lock {found.name}"


def _line(trial: Trial) -> str:
    change = ", ".join(f"{key}: {value}" for key, value in trial.change.items())
    sides = " -> ".join(text for side in (trial.present, trial.changed) if (text := _side(side.content())))
    guard = f"; {trial.guard}" if trial.guard and trial.guard not in trial.why else ""
    return f"{trial.verdict:12} {change}: {f'{sides}; ' if sides else ''}{trial.why}{guard}"


def _side(content: dict[str, Any]) -> str:
    if content["mean"] is None:
        return ""
    known = content["low"] is not None
    interval = f" [{content['low']:.4g}, {content['high']:.4g}]" if known else ""
    return f"{content['mean']:.4g}{interval} n={len(content['samples'])}"


def _yaml(changes: dict[str, Any]) -> str:
    if not changes:
        return ""
    return "engine:\n" + "".join(f"  {key}: {_value(value)}\n" for key, value in changes.items())


def _value(value: Any) -> str:
    return f'"{value}"' if value in ("on", "off") else str(value)
