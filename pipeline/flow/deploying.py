"""Deploy: from a lock that the gate accepted to a plan, a line in the deployment log, and where Assay starts it a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import FINDINGS, AssayError, DeployError
from pipeline.core.files import atomic_write, locked
from pipeline.deploy.history import Standing, Wish, back, base_of, standing
from pipeline.deploy.kept import keep, kept
from pipeline.deploy.log import Event, Line, append, log_path, read
from pipeline.deploy.plan import Plan, require_fits
from pipeline.deploy.state import State, folder_of
from pipeline.deploy.switch import clear_switch, too_much
from pipeline.deploy.targets._base import target_of
from pipeline.flow.ahead import Ahead
from pipeline.flow.decided import decision_on_record, evidence
from pipeline.flow.handover import failure_of, settle, settled, stays, switch
from pipeline.flow.keeping import begin, end
from pipeline.flow.ordering import Wanted, actor, event_of, memory_of, order_of
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.gguf.memory import Memory
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision
from pipeline.spec.load import find_spec

if TYPE_CHECKING:
    from pipeline.attest.keys import PublicKey

__all__ = ["Deployed", "NotAccepted", "Wanted", "deploy", "plan", "rollback", "standing_of", "stop"]


class NotAccepted(DeployError):
    """The gate has not accepted the model on this engine and class of hardware."""

    exit_code = FINDINGS


@dataclass(frozen=True)
class Deployed:
    """What came of it. ``state`` is that of a local deployment."""

    line: Line
    plan: Plan
    state: State | None = None


def plan(
    session: Session, lock: Lockfile, wanted: Wanted, keys: Sequence[PublicKey] = ()
) -> tuple[Plan, Decision | None]:
    """Return what would be done, and the gate's decision; nothing is done. Raises UsageError for what a target can't do, or for a model
    that doesn't fit; NotSigned for one that none of the ``keys``, where there are any, attests.
    """
    if keys:
        _signers(session, lock, keys)
    fetch_all(session, [lock])
    decision = decision_on_record(session, lock)
    order = order_of(session, lock, wanted, decision.id if decision else "")
    require_fits(order)
    return target_of(wanted.target).render(order), decision


def deploy(
    session: Session, lock: Lockfile, wanted: Wanted, keys: Sequence[PublicKey] = (), keeper: Ahead | None = None
) -> Deployed:
    """Deploy a lock: plan, hash every byte, record, write or start. What runs under this name answers until the new engine does, and goes
    on when that does not come up. On another port it is stopped first, and started again when the new model does not come up.
    Where there are ``keys``, one of them must attest the lock, and that the gate accepted it; whose they were is recorded.
    ``keeper`` may have been started ahead.

    Raises NotAccepted, NotSigned, DigestMismatch, EngineError, UsageError, DeployError when it does not come up.
    """
    planned, decision = plan(session, lock, wanted)
    require_accepted(lock, decision, wanted.override)
    signers = _signers(session, lock, keys) if keys else []
    event = event_of(session, lock, planned, wanted)
    event = replace(event, options=event.options | {"signed_by": signers}) if signers else event
    if decision:
        runs = evidence(session.project, decision)
        event = replace(event, decision={"id": decision.id, "digest": decision.digest, "runs": runs})
    return _apply(session, lock, planned, event, wanted.output, keeper)


def rollback(session: Session, name: str, steps: int) -> Deployed:
    """Deploy again what ran ``steps`` deployments before the last, by the decision that it was deployed by. Raises as ``deploy`` does,
    and UsageError when there is nothing to go back to.
    """
    then = back(standing_of(session, name), steps)
    lock, old = kept(session.project.state, then.event.lock), then.event
    options = old.options
    output = Path(options["output"]) if options.get("output") else None
    wanted = Wanted(old.target, options.get("port"), options.get("image") or "", old.override or "", output)
    fetch_all(session, [lock])
    order = order_of(session, lock, wanted, (old.decision or {}).get("id", ""))
    planned = target_of(wanted.target).render(order)
    event = replace(
        event_of(session, lock, planned, wanted), action="rollback", decision=old.decision, override=old.override
    )
    event = replace(
        event, options=event.options | {"of": base_of(then)}, reason=f"back to line {then.number} of the log"
    )
    return _apply(session, lock, planned, event, output)


def stop(session: Session, name: str) -> Line:
    """Take a deployment out of service, and record it. Of one that Assay did not start, only the record changes."""
    standing_of(session, name)
    with _alone(session, name):
        end(folder_of(session.project.state, name))
        found = standing_of(session, name)
        now = found.now.event if found.now else found.line.event
        event = Event(
            name, "stop", now.target, now.lock, actor=actor(session), engine=now.engine, hardware=now.hardware
        )
        try:
            return append(log_path(session.project.state), event, datetime.now(UTC))
        except OSError as error:
            said = f"{name} is stopped, but that could not be recorded: {error.strerror}"
            raise DeployError(said, hint=f"make room, then record it: assay stop {name}") from None


def standing_of(session: Session, name: str) -> Standing:
    """Return what the log says of a name. Raises DeployError for one that was never deployed, or a log that can't be trusted, UsageError
    for one that no spec has either.
    """
    lines = read(log_path(session.project.state)).require().of(name)
    if not lines:
        find_spec(session.project, name)
        raise DeployError(f"{name} was never deployed", hint=f"assay deploy {name} --target local")
    return standing(lines)


def require_accepted(lock: Lockfile, decision: Decision | None, override: str) -> None:
    """Raise NotAccepted unless the gate accepted the lock, or there is a reason to deploy it all the same."""
    if (decision and decision.accepted) or override:
        return
    if decision is None:
        said = f"there is no decision on {lock.name} for this lock, engine, class of hardware and policy"
        raise NotAccepted(said, hint=f"assay run {lock.name}, or deploy it with --override REASON, which is recorded")
    against = "\n".join(
        f"  {reason.verdict:7} {reason.rule}: {reason.said}" for reason in decision.reasons if not reason.holds
    )
    said = f"the gate rejected {lock.name} on this class of hardware (decision {decision.id}):\n{against}"
    raise NotAccepted(said, hint="--override REASON deploys it all the same, and the reason is recorded")


def _signers(session: Session, lock: Lockfile, keys: Sequence[PublicKey]) -> list[str]:
    from pipeline.flow.attesting import signed

    return sorted({one.key.id for one in signed(session, lock, keys)})


def _apply(
    session: Session, lock: Lockfile, planned: Plan, event: Event, output: Path | None, keeper: Ahead | None = None
) -> Deployed:
    """Do what was planned: the only place with effects."""
    state, path = session.project.state, log_path(session.project.state)
    folder = folder_of(state, lock.name)
    with _alone(session, lock.name):
        settle(session, lock.name)
        running = _running(session, event)
        keep(state, lock)
        if not target_of(event.target).STARTS:
            end(folder)
            for name, text in planned.files.items():
                atomic_write((output or Path.cwd()) / name, text)
            return Deployed(append(path, event, datetime.now(UTC)), planned)
        if running and (same_door := stays(session, running, event, lock)):
            beside = _side_by_side(session, lock, running)
            line = append(path, same_door, datetime.now(UTC))
            found = switch(session, line, beside=beside)
            if isinstance(found, State):
                return Deployed(line, planned, found)
            why = found
        else:
            end(folder)
            clear_switch(folder)
            line = append(path, event, datetime.now(UTC))
            begun = begin(session, line, folder, keeper, hashed=True)
            if begun.phase == "running":
                return Deployed(line, planned, begun)
            why = failure_of(session, line, begun.reason)
        said = f"{lock.name} did not come up: {why}"
        if running:
            said += f"\n{_restored(session, running, said)}"
        raise DeployError(said, hint=f"assay logs {lock.name}")


def _running(session: Session, event: Event) -> Line | None:
    """Return what runs now by the log, if the event is another of the same kind."""
    before = read(log_path(session.project.state)).require().of(event.name)
    was = standing(before) if before else None
    return was.now if was and was.wish is Wish.RUNNING and was.now and was.now.event.target == event.target else None


def _side_by_side(session: Session, lock: Lockfile, running: Line) -> bool:
    """Tell whether the new engine can be started while the old one answers; where memory forbids it, the user is told."""
    new = order_of(session, lock, Wanted(running.event.target), "")
    old = kept(session.project.state, running.event.lock)
    try:
        memory = memory_of(session, old)
    except (AssayError, OSError):  # its files may be gone, and it runs all the same
        memory = Memory(sum(file.size for file in old.files), 0)
    sizes = [gpu.memory for gpu in session.hardware.gpus if gpu.memory]
    why = too_much(new, replace(new, lock=old, memory=memory), sum(sizes) or None)
    if why:
        session.progress.note(
            f"not enough memory for both ({why}): requests wait while the old one stops and the new one starts"
        )
    return not why


def _restored(session: Session, running: Line, why: str) -> str:
    """See that what ran before what failed runs again; returns how that stands, in words."""
    name, path = running.event.name, log_path(session.project.state)
    now, folder = standing_of(session, name), folder_of(session.project.state, name)
    if now.wish is Wish.RUNNING and (state := settled(folder)):
        return (
            "what ran before goes on"
            if state.phase == "running"
            else f"what ran before is {state.phase}: {state.reason}"
        )
    if now.wish is not Wish.FAILED:
        return f"what ran before is {now.wish.value}: {now.line.event.reason}"
    event, options = running.event, running.event.options | {"of": base_of(running)}
    again = replace(event, action="rollback", reason=why, options=options, actor=actor(session))
    begun = begin(session, append(path, again, datetime.now(UTC)), folder)
    return "what ran before is running again" if begun.phase == "running" else begun.reason


def _alone(session: Session, name: str) -> Any:
    return locked(folder_of(session.project.state, name) / "command", wait=0.0)
