"""Would another llama.cpp do? The behaviour suites and the prompts of a locked model, on the pinned build and on another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.model import Outcome, Verdict
from pipeline.core.errors import EngineError, UsageError
from pipeline.flow.dating import headers_of, read_template
from pipeline.flow.prepare import fetch_all
from pipeline.flow.prompting import Prompts, ask_prompts
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of
from pipeline.gate.groups import judge_group
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild

WORSE, BETTER, OTHER, SAME = "worse", "better", "other", "same"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same on both builds: ``subject`` (``case``, ``gate``, ``prompt``, or ``engine`` that does
    not serve the model at all), its name, whether it is ``worse``, ``better`` or just ``other`` on the second, what it was
    and is, and for prompts a diff.
    """

    subject: str
    name: str
    change: str
    before: str
    after: str
    diff: str = ""


@dataclass(frozen=True)
class Comparison:
    """A model on two builds: how many cases and prompts were compared, and all that differs."""

    name: str
    builds: tuple[EngineBuild, EngineBuild]
    cases: int
    prompts: int
    differences: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        """``worse`` when anything is, else ``better`` when anything is, else ``other`` or ``same``."""
        changes = {difference.change for difference in self.differences}
        return next((change for change in (WORSE, BETTER, OTHER) if change in changes), SAME)


def compare_engines(session: Session, name: str, other: Path, *, force: bool = False) -> Comparison:
    """Run the behaviour suites of a locked model on the session's engine and on ``other`` (a llama-server or its folder, of
    any commit), and say what differs. Both runs are recorded, each under the digest of its own engine; no decision is made.

    Raises UsageError where both are the same build, EngineError where there is none or the first does not serve the model.
    """
    lock = session.current(name)
    second = Session(session.project, session.progress, other, session.offline, any_commit=True)
    second.__dict__["recorder"] = session.recorder  # there is but one writer
    builds = session.require_engine(lock), second.engine
    if builds[0].identity.digest == builds[1].identity.digest:
        raise UsageError(f"{other} is the engine that is used anyway", hint="name another build with --against")
    fetch_all(session, [lock])
    before, differences = _outcomes(session, lock, force), list[Difference]()
    try:
        after = _outcomes(second, lock, force)
        differences += [*_gates(lock, before, after), *_cases(before, after)]
    except EngineError as error:
        differences.append(Difference("engine", "start", WORSE, "serves this model", error.message))
    asked = [_asked(session, lock, build) for build in builds]
    differences += _prompts(*asked)
    prompts = len(asked[0].texts.keys() | asked[1].texts.keys())
    return Comparison(lock.name, builds, len(before), prompts, tuple(differences))


def _outcomes(session: Session, lock: Lockfile, force: bool) -> list[Outcome]:
    done = do(session, jobs_of(session, lock, ["check"]), force=force)
    return [outcome for one in done for outcome in one.run.result.outcomes]


def _asked(session: Session, lock: Lockfile, build: EngineBuild) -> Prompts:
    """Return what a build makes of the conversations; it needs no weights for that."""
    stored = session.stored(lock)
    template = read_template(stored.template) if stored.template else None
    return ask_prompts(lock, template, headers_of(session, lock)[0], build)


def _gates(lock: Lockfile, before: Iterable[Outcome], after: Iterable[Outcome]) -> Iterator[Difference]:
    before, after = list(before), list(after)
    known = {outcome.group for outcome in before}
    for group in lock.spec.gates.checks:
        if group.group in known:
            was, now = judge_group(group, before), judge_group(group, after)
            if was.verdict is not now.verdict:
                change = _change(was.verdict, now.verdict)
                yield Difference(
                    "gate", group.group, change, f"{was.verdict}: {was.message}", f"{now.verdict}: {now.message}"
                )


def _cases(before: Iterable[Outcome], after: Iterable[Outcome]) -> Iterator[Difference]:
    """Yield the cases that are judged otherwise. A sampled answer is no verdict by itself: there the gates' rates count."""
    now = {(one.suite, one.name): one for one in after}
    for was in before:
        one = now.get((was.suite, was.name))
        if one is None:
            yield Difference("case", f"{was.suite}/{was.name}", WORSE, _said(was), "not run")
        elif (was.verdict, was.grade) != (one.verdict, one.grade):
            change = OTHER if was.sampled else _change(was.verdict, one.verdict)
            yield Difference("case", f"{was.suite}/{was.name}", change, _said(was), _said(one))


def _said(outcome: Outcome) -> str:
    grade = f" ({outcome.grade})" if outcome.grade else ""
    return f"{outcome.verdict}{grade}: {outcome.diagnosis}"


def _change(was: Verdict, now: Verdict) -> str:
    if (was is Verdict.PASS) == (now is Verdict.PASS):
        return OTHER
    return WORSE if was is Verdict.PASS else BETTER


def _prompts(before: Prompts, after: Prompts) -> Iterator[Difference]:
    """Yield the conversations whose prompts differ. One that is refused is worse; another text is just another: whether it
    is worse, the suites tell.
    """
    was, now = before.texts, after.texts
    if was and not now:
        yield Difference("prompt", "all", WORSE, f"{len(was)} prompts", f"none: {after.why or 'all are refused'}")
        return
    for name in sorted(was.keys() | now.keys()):
        one, other = was.get(name), now.get(name)
        if one == other:
            continue
        change = WORSE if other is None else BETTER if one is None else OTHER
        diff = _diff(one, other) if one is not None and other is not None else ""
        yield Difference("prompt", name, change, _prompt(before, name), _prompt(after, name), diff)


def _prompt(asked: Prompts, name: str) -> str:
    if name in asked.texts:
        return f"{len(asked.texts[name])} characters"
    return f"refused: {asked.errors[name]}" if name in asked.errors else f"none: {asked.why}"


def _diff(one: str, other: str) -> str:
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), "before", "after", lineterm="")
    return "\n".join(lines) or "(only the line ends differ)"


def content(found: Comparison) -> Mapping[str, object]:
    """Return a comparison as plain JSON."""
    return {
        "name": found.name,
        "verdict": found.verdict,
        "engines": [
            {"server": str(one.server), "commit": one.identity.commit, "digest": str(one.identity.digest)}
            for one in found.builds
        ],
        "cases": found.cases,
        "prompts": found.prompts,
        "differences": [vars(one) for one in found.differences],
    }
