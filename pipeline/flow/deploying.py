"""Deploy: from a lock that the gate accepted to a plan, a line in the deployment log, and where Assay starts it a process."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest
from pipeline.core.errors import FINDINGS, DeployError, EngineError
from pipeline.core.files import atomic_write, locked
from pipeline.core.proc import run
from pipeline.deploy.history import Standing, Wish, back, base_of, standing
from pipeline.deploy.kept import keep, kept
from pipeline.deploy.log import Event, Line, append, log_path, mark, read
from pipeline.deploy.plan import Host, Order, Plan, require_fits
from pipeline.deploy.state import State, folder_of
from pipeline.deploy.targets._base import target_of
from pipeline.flow.auditing import decision_digest, evidence
from pipeline.flow.judge import decision_on_record
from pipeline.flow.keeping import begin, end
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.session import Session
from pipeline.gguf.memory import Memory, estimate
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision


class NotAccepted(DeployError):
    """The gate has not accepted the model on this engine and class of hardware."""

    exit_code = FINDINGS


@dataclass(frozen=True)
class Wanted:
    """What the user asks for beside the model's name. ``override`` is the reason to deploy what the gate did not accept."""

    target: str
    port: int | None = None
    image: str = ""
    override: str = ""
    output: Path | None = None


@dataclass(frozen=True)
class Deployed:
    """What came of it. ``state`` is that of a local deployment."""

    line: Line
    plan: Plan
    state: State | None = None


def plan(session: Session, lock: Lockfile, wanted: Wanted) -> tuple[Plan, Decision | None]:
    """Return what would be done, and the gate's decision; nothing is done. Raises UsageError for what a target can't do, or for a model
    that doesn't fit.
    """
    fetch_all(session, [lock])
    decision = decision_on_record(session, lock)
    order = order_of(session, lock, wanted, decision.id if decision else "")
    require_fits(order)
    return target_of(wanted.target).render(order), decision


def deploy(session: Session, lock: Lockfile, wanted: Wanted) -> Deployed:
    """Deploy a lock: plan, hash every byte, record, write or start. What ran under this name before is stopped once the new bytes are
    known to be right, and started again when the new model does not come up.

    Raises NotAccepted, DigestMismatch, EngineError, UsageError, DeployError when it does not come up.
    """
    planned, decision = plan(session, lock, wanted)
    require_accepted(lock, decision, wanted.override)
    event = _event(session, lock, planned, wanted)
    if decision:
        runs = evidence(session.project, decision)
        event = replace(event, decision={"id": decision.id, "digest": decision_digest(decision), "runs": runs})
    return _apply(session, lock, planned, event, wanted.output)


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
        _event(session, lock, planned, wanted), action="rollback", decision=old.decision, override=old.override
    )
    event = replace(
        event, options=event.options | {"of": base_of(then)}, reason=f"back to line {then.number} of the log"
    )
    return _apply(session, lock, planned, event, output)


def stop(session: Session, name: str) -> Line:
    """Take a deployment out of service, and record it. Of one that Assay did not start, only the record changes."""
    found = standing_of(session, name)
    now = found.now.event if found.now else found.line.event
    with _alone(session, name):
        end(folder_of(session.project.state, name))
        event = Event(
            name, "stop", now.target, now.lock, actor=actor(session), engine=now.engine, hardware=now.hardware
        )
        return append(log_path(session.project.state), event, datetime.now(UTC))


def standing_of(session: Session, name: str) -> Standing:
    """Return what the log says of a name. Raises DeployError for one that was never deployed, or a log that can't be trusted."""
    lines = read(log_path(session.project.state)).require().of(name)
    if not lines:
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


def order_of(session: Session, lock: Lockfile, wanted: Wanted, decision: str) -> Order:
    """Return the order for a plan; the lock's files are in the store. Raises EngineError."""
    build, stored = session.require_engine(lock), session.stored(lock)
    engine = lock.spec.engine
    sizes = [
        estimate(
            header,
            context=engine.context,
            slots=engine.slots,
            cache_type_k=engine.cache_type_k,
            cache_type_v=engine.cache_type_v,
        )
        for header in stored.headers()
    ]
    host = Host(
        root=session.project.root,
        server=build.server,
        engine=build.files(),
        environment=build.environment,
        threads=session.threads(lock),
        memory=session.hardware.memory_limit or session.hardware.memory,
    )
    return Order(
        lock,
        host,
        {file.sha256: session.store.path(file.digest) for file in lock.files},
        stored.weights,
        Memory(sum(one.weights for one in sizes), max(one.kv for one in sizes)),
        decision,
        port=lock.spec.deploy.port if wanted.port is None else wanted.port,
        image=wanted.image,
    )


def actor(session: Session) -> dict[str, Any]:
    """Return who acts: the user, and the commit of the project where it lies in a git repository."""
    uid = os.getuid()
    user = ""
    with suppress(KeyError):
        user = pwd.getpwuid(uid).pw_name
    commit = None
    with suppress(EngineError):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        done = run(("git", "-C", str(session.project.root), "rev-parse", "HEAD"), env=env, timeout=10.0)
        commit = done.stdout.strip() if done.returncode == 0 else None
    return {"uid": uid, "user": user, "commit": commit}


def _event(session: Session, lock: Lockfile, planned: Plan, wanted: Wanted) -> Event:
    verify_all(session, [lock], deep=True)
    build = session.require_engine(lock)
    template = lock.template.sha256 if lock.template else lock.gguf.get("template_digest")
    proof = [mark(session.store.path(file.digest), file.digest) for file in lock.files]
    proof += [mark(path, Digest.parse(digest)) for path, digest in sorted(build.files().items())]
    return Event(
        lock.name,
        "deploy",
        wanted.target,
        str(lock.digest),
        actor=actor(session),
        engine=str(build.identity.digest),
        hardware=str(session.hardware.digest),
        weights=tuple(file.sha256 for file in lock.shards),
        template=str(template) if template else None,
        argv=planned.argv,
        env_keys=tuple(sorted(planned.env)),
        override=wanted.override or None,
        proof=tuple(proof),
        files={name: str(Digest.of(text.encode())) for name, text in sorted(planned.files.items())},
        options={
            "port": wanted.port,
            "image": wanted.image or None,
            "output": str(wanted.output.resolve()) if wanted.output else None,
        },
    )


def _apply(session: Session, lock: Lockfile, planned: Plan, event: Event, output: Path | None) -> Deployed:
    """Do what was planned: the only place with effects."""
    state, path = session.project.state, log_path(session.project.state)
    folder = folder_of(state, lock.name)
    with _alone(session, lock.name):
        before = read(path).require().of(lock.name)
        was = standing(before) if before else None
        keep(state, lock)
        if not target_of(event.target).STARTS:
            end(folder)
            for name, text in planned.files.items():
                atomic_write((output or Path.cwd()) / name, text)
            return Deployed(append(path, event, datetime.now(UTC)), planned)
        end(folder)
        line = append(path, event, datetime.now(UTC))
        found = begin(session, line, folder)
        if found.phase == "running":
            return Deployed(line, planned, found)
        said = f"{lock.name} did not come up: {found.reason}"
        if was and was.wish is Wish.RUNNING and was.now and was.now.event.target == event.target:
            old = was.now
            again = replace(old.event, action="rollback", reason=said, options=old.event.options | {"of": base_of(old)})
            line = append(path, replace(again, actor=actor(session)), datetime.now(UTC))
            begun = begin(session, line, folder)
            said += f"\nwhat ran before is {begun.phase} again" if begun.phase == "running" else f"\n{begun.reason}"
        raise DeployError(said, hint=f"assay logs {lock.name}")


def _alone(session: Session, name: str) -> Any:
    return locked(folder_of(session.project.state, name) / "command", wait=0.0)
