"""Compare what is on record for two models, or two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.compare.judge import compare
from pipeline.compare.model import Comparison, Side
from pipeline.core.errors import UsageError
from pipeline.flow.history import side_of
from pipeline.flow.session import Session


def compare_recorded(
    session: Session, a: str, b: str, *, suites: Sequence[str] = (), anyway: bool = False
) -> Comparison:
    """Compare two specs or run ids by the suites that both have on record, or by some of them.

    Raises UsageError where they have none in common, or not one that was named.
    """
    one, other = side_of(session, a), side_of(session, b)
    names = [{run.key.subject for run in side.runs} for side in (one, other)]
    for suite in suites:
        for side, known in zip((one, other), names, strict=True):
            if suite not in known:
                said = f"{suite} is not on record for {side.name}; there is: {', '.join(sorted(known))}"
                raise UsageError(said, hint="run assay eval or assay check, or name another --suite")
    if not names[0] & names[1]:
        said = f"no suite is on record for both: {', '.join(sorted(names[0]))}; {', '.join(sorted(names[1]))}"
        raise UsageError(said, hint="name the same suites in both specs, and run them")
    return compare(_only(one, suites), _only(other, suites), anyway=anyway)


def _only(side: Side, suites: Sequence[str]) -> Side:
    return replace(side, runs=tuple(run for run in side.runs if run.key.subject in suites)) if suites else side
