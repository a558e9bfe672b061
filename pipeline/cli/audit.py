"""``assay audit``: which weights answer, by whose leave, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.command import NAME, PUBLIC_KEYS, App, command

if TYPE_CHECKING:
    from pipeline.flow.auditing import Audit


@command
@NAME
@click.option(
    "--expect", default="", metavar="sha256:…", help="A digest of the log that you kept: it must hold that line."
)
@PUBLIC_KEYS
def audit(app: App, name: str, expect: str, public_keys: tuple[Path, ...]) -> int:
    """Check the whole chain of a deployment: live process, log, decision, results, lock, spec, bytes. All is checked again.

    With a public key also that it attests the lock and the gate's yes. Exit 5 when bytes are not those that were tested, 7 when
    another link is broken.

    \b
    assay audit tiny-chat
    assay audit tiny-chat --json > audit.json
    assay audit tiny-chat --public-key key.pub
    """
    from pipeline.attest.keys import read_all
    from pipeline.core.digest import Digest
    from pipeline.core.errors import UsageError
    from pipeline.flow.auditing import audit as audit_

    try:
        expected = str(Digest.parse(expect)) if expect else ""
    except ValueError as error:
        raise UsageError(f"--expect: {error}", hint="write the digest whole, as assay logs NAME says it") from None
    found = audit_(app.session(offline=True), name, expect=expected, keys=read_all(public_keys))
    app.answer("audit", _content(found), "\n".join(_lines(found)))
    return found.exit_code


def _content(found: Audit) -> dict[str, Any]:
    event, decision = found.line.event, found.decision
    return {
        "name": found.name,
        "verified": found.exit_code == 0,
        "links": [{"name": link.name, "ok": not link.broken, "said": link.said} for link in found.links],
        "state": found.stand.word,
        "since": found.line.time,
        "target": event.target,
        "actor": event.actor,
        "lock": event.lock,
        "weights": list(event.weights),
        "template": event.template,
        "engine": {"digest": event.engine, **(found.engine or {})},
        "hardware": {"digest": event.hardware, **(found.hardware or {})},
        "decision": {"id": decision.id, "accepted": decision.accepted, "decided": decision.decided}
        if decision
        else None,
        "override": event.override,
        "reasons": [
            {"verdict": one.verdict, "rule": one.rule, "said": one.said}
            for one in (decision.reasons if decision else ())
        ],
        "tests": [
            {"run": run.id, "stage": run.key.stage, "subject": run.key.subject, "digest": run.key.subject_digest}
            for run in found.runs
        ],
        "changes": list(found.changes),
        "history": [
            {
                "line": line.number,
                "time": line.time,
                "action": line.event.action,
                "lock": line.event.lock,
                "user": line.event.actor.get("user"),
                "commit": line.event.actor.get("commit"),
                "reason": line.event.reason,
            }
            for line in found.history
        ],
        "head": found.head,
    }


def _lines(found: Audit) -> Iterator[str]:
    event, decision = found.line.event, found.decision
    yield f"{found.name}: {'verified' if not found.exit_code else 'BROKEN'}, {found.stand.word} since {found.line.time[:19]}Z"
    for link in found.links:
        first, *more = link.said.splitlines()
        yield f"  {'BROKEN' if link.broken else 'ok':7}{link.name:9} {first}"
        yield from (f"{'':19}{line}" for line in more)
    by = event.actor
    machine = found.hardware or {}
    yield f"who       {by.get('user') or by.get('uid')}, commit {by.get('commit') or 'none'}, line {found.line.number} of the log"
    yield f"weights   {', '.join(event.weights)}"
    yield f"template  {event.template}"
    yield f"lock      {event.lock}"
    yield f"engine    {event.engine}"
    yield f"hardware  {machine.get('cpu_model') or event.hardware}, {machine.get('logical_cores', '?')} threads"
    if decision:
        yield f"decision  {'accepted' if decision.accepted else 'rejected'} {decision.decided:%Y-%m-%dT%H:%M:%SZ} by {len(found.runs)} runs"
        yield from (f"  {one.verdict:7} {one.rule}: {one.said}" for one in decision.reasons)
    if event.override:
        yield f"override  {event.override}"
    yield from (f"changed   {line}" for said in found.changes for line in said.splitlines())
    yield "history"
    for line in found.history:
        reason = f"  ({line.event.reason.splitlines()[0]})" if line.event.reason else ""
        yield f"  {line.number:4} {line.time[:19]}Z {line.event.action:14} {line.event.lock[:19]} {line.event.actor.get('user')}{reason}"
    yield f"head      {found.head}"
