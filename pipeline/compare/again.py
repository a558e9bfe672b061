"""A run and its repetition, item by item: bit for bit the same, or what differs and by how much."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.core.canonical import digest_of, plain
from pipeline.evals.model import Item, Metric
from pipeline.record.model import StageResult

# What a server says of itself and of time, not of the answer.
_VOLATILE = frozenset({"id", "created", "timings", "usage", "system_fingerprint", "seconds", "tool_call_id"})


@dataclass(frozen=True)
class Difference:
    """One item, case, metric or finding that is not the same again. ``before`` and ``after`` are scores, verdicts or
    digests, None where it is missing. ``largest`` is the largest change of a log-probability in it, in nats; ``flipped``
    says that it is judged otherwise now.
    """

    sort: str
    id: str
    before: float | str | None
    after: float | str | None
    flipped: bool = False
    largest: float | None = None


def differences(before: StageResult, after: StageResult) -> tuple[Difference, ...]:
    """Return everything that a repetition gave otherwise, in the order of the first; nothing where all is the same."""
    return (*_evals(before, after), *_checks(before, after), *_findings(before, after))


def _evals(before: StageResult, after: StageResult) -> Iterator[Difference]:
    old, new = before.evaluation, after.evaluation
    if not old or not new:
        return
    for one, other in _both({item.id: item for item in old.items}, {item.id: item for item in new.items}):
        yield from _items(one, other)
    for first, second in _both({m.name: m for m in old.metrics}, {m.name: m for m in new.metrics}):
        yield from _metrics(first, second)


def _items(old: Item | None, new: Item | None) -> Iterator[Difference]:
    if old is None or new is None:
        there = old or new
        assert there is not None
        yield Difference("item", there.id, old.score if old else None, new.score if new else None, flipped=True)
    elif _json(old) != _json(new):
        flipped = any(old.detail.get(key) != new.detail.get(key) for key in ("verdict", "picked")) or (
            old.score != new.score and {old.score, new.score} <= {0.0, 1.0}
        )
        digests = old.detail.get("digest"), new.detail.get("digest")
        changes = list(_changes(_json(old.detail), _json(new.detail), False))
        largest = max(changes) if changes else None
        if old.score == new.score and digests[0] != digests[1]:
            yield Difference("output", old.id, *digests, flipped, largest)
        else:
            yield Difference("item", old.id, old.score, new.score, flipped, largest)


def _changes(old: Any, new: Any, wanted: bool) -> Iterator[float]:
    """Yield by how much each log-probability moved."""
    match old, new:
        case dict(), dict():
            for key in old.keys() & new.keys():
                yield from _changes(old[key], new[key], wanted or "logprob" in key)
        case list(), list():
            for one, other in zip(old, new, strict=False):
                yield from _changes(one, other, wanted)
        case ((int() | float()), (int() | float())) if wanted:
            yield abs(old - new)


def _metrics(old: Metric | None, new: Metric | None) -> Iterator[Difference]:
    if old != new:
        there = old or new
        assert there is not None
        yield Difference("metric", there.name, old.value if old else None, new.value if new else None)


def _checks(before: StageResult, after: StageResult) -> Iterator[Difference]:
    old, new = ({o.name: o for o in result.outcomes} for result in (before, after))
    for one, other in _both(old, new):
        there = one or other
        assert there is not None
        verdicts = one and one.verdict.value, other and other.verdict.value
        if verdicts[0] != verdicts[1]:
            yield Difference("case", there.name, *verdicts, flipped=True)
            continue
        digests = answer_digest(one.response if one else {}), answer_digest(other.response if other else {})
        if digests[0] != digests[1]:
            yield Difference("output", there.name, *digests)


def answer_digest(response: Mapping[str, Any]) -> str:
    """Return the digest of what was answered: the raw response without ids, times and counts, which no two share."""
    return str(digest_of(_json(_steady(response))))


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _steady(part) for key, part in value.items() if key not in _VOLATILE}
    return [_steady(part) for part in value] if isinstance(value, list | tuple) else value


def _findings(before: StageResult, after: StageResult) -> Iterator[Difference]:
    old, new = ({json.dumps(_json(f), sort_keys=True): f for f in result.findings} for result in (before, after))
    for one, other in _both(old, new):
        there = one or other
        assert there is not None
        if one is None or other is None:
            yield Difference("finding", there.code, one and one.message, other and other.message, flipped=True)


def _both(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    return ((old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new)))


def _json(value: Any) -> Any:
    """Return a value as it reads after it was recorded: lists for tuples, plain values for enumerations."""
    return plain(asdict(value) if hasattr(value, "__dataclass_fields__") else value)
