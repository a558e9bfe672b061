"""Answers judged: each right, wrong or unknown with its reason, and the shares that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.core.canonical import digest_of
from pipeline.evals.intervals import wilson
from pipeline.evals.model import Item, Metric
from pipeline.runtime.answer import Answer

Verdict = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True)
class Judgement:
    """What an answer is worth, and why, in words. ``detail`` goes into the item as it is."""

    verdict: Verdict
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def item_of(id: str, skill: str, prompt: str, answer: Answer, wanted: Any, judged: Judgement) -> Item:
    """Return an item as the record keeps it. Its score is 1 for a right answer, 0 for any other; ``digest`` is that of
    the whole output, so that two runs compare by it."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in answer.calls]
    output = {"content": answer.content, "reasoning": answer.reasoning, "calls": calls}
    detail: dict[str, Any] = {
        "verdict": judged.verdict,
        "reason": judged.reason,
        "skill": skill,
        "prompt": prompt,
        "answer": answer.content,
        "wanted": wanted,
        **({"calls": calls} if calls else {}),
        **({"reasoning": answer.reasoning} if answer.reasoning else {}),
        **judged.detail,
        "finish": answer.finish_reason,
        "tokens": answer.tokens,
        "digest": str(digest_of(_written(output))),
    }
    return Item(id, float(judged.verdict == "right"), _written(detail))


def _written(value: Any) -> Any:
    """Return a value whose texts can be written as UTF-8: a model may say half of a surrogate pair, in JSON even by ASCII
    alone; such a half is shown by its escape."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_written(key): _written(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_written(part) for part in value]
    return value


def trouble(answer: Answer) -> Judgement | None:
    """Return ``unknown`` for an answer that can't be judged, with the server's own reason; None for one that can."""
    if not answer.trouble:
        return None
    return Judgement("unknown", f"{answer.trouble.grade}: {answer.trouble.words}")


def cut_off(answer: Answer, limit: int) -> str:
    """Return words for an answer that did not end by itself, or nothing. One that met ``limit``, the suite's own, is an
    answer; one that met the end of the context first is not."""
    if answer.finish_reason != "length" or answer.tokens is None or answer.tokens >= limit:
        return ""
    return f"cut off by the end of the context after {answer.tokens} of {limit} tokens"


def share(name: str, items: Iterable[Item]) -> Metric:
    """Return the share of right answers with its Wilson interval. Unknown ones count among all, never among the right."""
    scores = [item.score for item in items]
    right = round(sum(scores))
    low, high = wilson(right, len(scores))
    return Metric(name, right / len(scores), "share", low, high, len(scores))


def shares(items: Sequence[Item], at_once: int, name: str = "acc") -> tuple[Metric, ...]:
    """Return the share of right answers, how many are unknown, and the share for each skill. ``at_once`` tells how many
    requests shared the server: with more than one, the shape of a batch, and with it the last bits of a result, may
    change from run to run."""
    unknown = sum(item.detail["verdict"] == "unknown" for item in items)
    skills = sorted({str(item.detail["skill"]) for item in items})
    apart = [share(f"{name}@{skill}", [item for item in items if item.detail["skill"] == skill]) for skill in skills]
    return (
        share(name, items),
        Metric("unknown", float(unknown), "items", n=len(items)),
        Metric("at_once", float(at_once), "requests", n=len(items)),
        *(apart if len(skills) > 1 else ()),
    )
