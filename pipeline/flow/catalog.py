"""The catalog at a glance: what became of every spec, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline import __version__
from pipeline.checks.model import Verdict
from pipeline.core.errors import AssayError, LockOutOfDate
from pipeline.flow.decided import same_policy
from pipeline.flow.session import Session
from pipeline.flow.stages import jobs_of
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, Reason, RunKey
from pipeline.record.read import keys_by_id, newest_decisions

Keys = dict[str, tuple[RunKey, str]]


class State(StrEnum):
    """``stale``: there is a decision, but on other digests than those of now."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    STALE = "stale"


@dataclass(frozen=True)
class Entry:
    """One spec of the catalog on this engine and hardware. ``why`` says what the state rests on, ``fix`` what to do next;
    ``decision`` is the one that counts, or where it is stale the last one.
    """

    name: str
    state: State
    why: tuple[str, ...] = ()
    fix: str = ""
    decision: Decision | None = None
    waived: tuple[str, ...] = ()


def catalog(session: Session, names: list[str]) -> list[Entry]:
    """Return an entry for each spec, by what is on record; nothing is run. Raises what a broken policy raises."""
    session.policy  # noqa: B018 (a broken policy is told once, not with every spec)
    made = newest_decisions(session.project.database, str(session.hardware.digest))
    ids = [id for name in names for one in made.get(name, ()) for id in one.run_ids]
    keys = keys_by_id(session.project.database, ids)
    return [_entry(session, name, made.get(name, []), keys) for name in names]


def _entry(session: Session, name: str, found: list[Decision], keys: Keys) -> Entry:
    try:
        lock = session.current(name)
        engine = str(session.require_engine(lock).identity.digest)
    except LockOutOfDate as error:
        last = next(iter(found), None)
        state = State.STALE if last else State.UNKNOWN
        return Entry(name, state, (error.message,), error.hint or f"assay lock {name}", last)
    except AssayError as error:
        return Entry(name, State.UNKNOWN, (error.message,), error.hint)
    mine = [one for one in found if one.lock_digest == str(lock.digest) and one.engine_digest == engine]
    if not mine:
        return _without(name, lock, found)
    decision = mine[0]
    if not same_policy(decision, session.policy):
        return Entry(name, State.STALE, ("the policy changed since it was judged",), f"assay gate {name}", decision)
    if not _rests(session, lock, decision, keys):
        said = "rules, suites, settings or Assay itself changed since it was judged"
        return Entry(name, State.STALE, (said,), f"assay run {name}", decision)
    waived = tuple(f"{one.rule}: {one.waived}" for one in decision.reasons if one.waived)
    if decision.accepted:
        return Entry(name, State.ACCEPTED, (), "", decision, waived)
    broken = [one for one in decision.reasons if not one.holds]
    failed = [one for one in broken if one.verdict is Verdict.FAIL]
    why = _told((*failed, *[one for one in broken if one not in failed]))
    return Entry(name, State(decision.word), why, _nearest(name, (*failed, *broken)), decision, waived)


def _told(broken: tuple[Reason, ...]) -> tuple[str, ...]:
    """Return a line for each fault: a rule of the spec and one of the policy often name the same."""
    rules: dict[tuple[str, str], list[str]] = {}
    for one in broken:
        rules.setdefault((one.verdict.value, one.message), []).append(one.rule)
    return tuple(f"{verdict} {' and '.join(named)}: {said}" for (verdict, said), named in rules.items())


def _rests(session: Session, lock: Lockfile, decision: Decision, keys: Keys) -> bool:
    """Tell whether the runs that a decision rests on are still those that would count."""
    wanted = {job.key for job in jobs_of(session, lock)}
    return all(id in keys and keys[id][0] in wanted and keys[id][1] == __version__ for id in decision.run_ids)


def _without(name: str, lock: Lockfile, found: list[Decision]) -> Entry:
    """Return the entry of a lock on which there is no decision here."""
    if not found:
        return Entry(name, State.UNKNOWN, ("it has not been judged on this engine and hardware",), f"assay run {name}")
    last = found[0]
    moved = "lock" if last.lock_digest != str(lock.digest) else "engine"
    said = f"the {moved} changed since it was judged {last.word} on {last.decided.date()}"
    return Entry(name, State.STALE, (said,), f"assay run {name}", last)


def _nearest(name: str, broken: tuple[Reason, ...]) -> str:
    """Return what to do about the first thing that is wrong."""
    rule, message = broken[0].rule.removeprefix("policy "), broken[0].message
    if "not been run" in message or "inconclusive" in message:
        return f"assay run {name}"
    kinds = {
        "lint": f"assay lint {name}, then assay fix {name}",
        "license": "name the licence in the spec (license.id) if the publisher states it, or take another model",
        "provenance": "take the model from a source that the policy allows",
        "checks": f"assay check {name} shows each case and the likely causes",
    }
    said = next((advice for start, advice in kinds.items() if rule.startswith(start)), "")
    return said or f"assay report {name} shows the numbers; or accept it for a time: exceptions in specs/policy.yaml"
