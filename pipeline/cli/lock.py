"""``assay lock``: pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.turns import Turns

if TYPE_CHECKING:
    from pipeline.lock.model import Lockfile

_PROMPTS = "prompts.digests."


@command
@NAMES
@click.option(
    "--check", is_flag=True, help="Only compare; exit 3 and the changed fields when a spec moved. No network."
)
@click.option("--upgrade", is_flag=True, help="Ask the origins again, and say what a newer version would change.")
@click.option("--dry-run", is_flag=True, help="Resolve and show what would change, write nothing.")
def lock(app: App, names: tuple[str, ...], check: bool, upgrade: bool, dry_run: bool) -> int:
    """Pin what specs name: every blob by digest, the engine, the suites, the command line. What is pinned stays.

    \b
    assay lock                       all specs of the catalog
    assay lock tiny-chat             one
    assay lock --check               in CI: is every lock what its spec says?
    assay lock --upgrade qwen        take what is upstream now
    assay lock --upgrade --dry-run   only say what that would be
    """
    from pipeline.core.errors import UsageError

    if check and (upgrade or dry_run):
        raise UsageError("--check only compares", hint="leave --upgrade and --dry-run out")
    if check:
        return _check(app, names)
    from pipeline.flow.locking import make_locks

    session = app.session()
    answers, lines = [], []
    for made in make_locks(session, session.names(names), dry_run=dry_run, upgrade=upgrade):
        would = "would be written" if made.fresh else "would change" if made.changes else "unchanged"
        word = "written" if made.written else would if dry_run else "unchanged"
        lines.append(f"{made.lock.name}: {word}, {made.lock.digest}")
        if made.fresh:
            lines += [f"  {line}" for line in _pinned(made.lock)]
        lines += [f"  {line}" for one in made.meaning for line in str(one).splitlines()]
        # In words, the lines before; a licence's or an origin's other fields are not.
        said = ("files", "gguf", "source.resolved", "source.published", "license.id", "argv[1]")
        told = said if made.meaning else ()
        rest = [change for change in made.changes if not change.path.startswith(told)]
        prompts = [change.path for change in rest if change.path.startswith(_PROMPTS)]
        lines += [f"  {change}" for change in rest if not change.path.startswith("prompts")]
        lines += [f"  prompts: {'pinned' if one.new else 'no longer pinned'}" for one in rest if one.path == "prompts"]
        lines += [f"  prompts: {_few([path.removeprefix(_PROMPTS) for path in prompts])}"] if prompts else []
        answers.append(
            {
                "name": made.lock.name,
                "digest": str(made.lock.digest),
                "written": made.written,
                "changes": [vars(change) for change in made.changes],
                "meaning": [vars(one) for one in made.meaning],
            }
        )
    app.answer("lock", {"locks": answers}, "\n".join(lines))
    return 0


def _few(names: list[str]) -> str:
    """Return which prompts changed, for people."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} changed ({', '.join(names[:5])}{more})"


def _pinned(lock: Lockfile) -> list[str]:
    """Return what a first lock came to, for people."""
    source, size = lock.source, sum(file.size for file in lock.shards)
    licence = f"{lock.license.id} ({lock.license.declared_in})" if lock.license.id else "no licence declared"
    known = {"spec": "digest from the spec", "published": "digest published by the origin", "computed": "digest learnt"}
    return [
        source.resolved + (f"  ({source.rule})" if source.rule else ""),
        f"{lock.gguf['architecture']}, {lock.gguf['quantization']}, {size / 1e6:,.1f} MB, {licence}, {known[lock.weights.known]}",
    ]


def _check(app: App, names: tuple[str, ...]) -> int:
    from pipeline.core.errors import LockOutOfDate
    from pipeline.flow.prepare import check
    from pipeline.lock.diff import Change

    session = app.session(offline=True)
    turns = Turns(session.names(names))
    answers, lines, code = [], [], 0
    for name in turns.names:
        with turns.of(name):
            changes: list[Change] = []
            state = hint = ""
            try:
                changes = check(session, name)
            except LockOutOfDate as error:
                state, hint = error.message, error.hint
            stale = bool(changes or state)
            code = LockOutOfDate.exit_code if stale else code
            lines.append(f"{name}: {state or ('out of date' if stale else 'up to date')}")
            lines += [f"  {change}" for change in changes] + ([f"  -> {hint}"] if hint else [])
            told = {"name": name, "current": not stale, "problem": state}
            answers.append(told | {"changes": [vars(change) for change in changes]})
    if any(answer["changes"] for answer in answers):
        lines.append("  -> run assay lock")
    app.answer("lock", {"locks": answers, "errors": turns.content()}, "\n".join(lines))
    return turns.end(code)
