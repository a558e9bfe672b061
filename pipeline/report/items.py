"""The items of an eval as people look at them: sorted by verdict, cut into pages, each with what was asked and answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.report.text import label, number, plain, pretty

PAGE = 50
SHOWN = 2_000
TEXT_SHOWN = 3_000
_TITLES = {
    "wrong": "Wrong",
    "unknown": "Unknown: these could not be judged, and count as not right",
    "unstable": "Right, but unstable: the answer turns on less than the numeric noise",
    "right": "Right",
}
_APART = {"verdict", "choices", "picked", "picked_norm", "unstable"}
_FIRST = ("prompt", "wanted", "answer", "reasoning", "calls")


@dataclass(frozen=True)
class Choice:
    """One choice of an item. ``logprob`` is the sum of its log-probabilities, in nats."""

    text: str
    logprob: float | None
    per_byte: float | None
    tokens: int | None
    right: bool
    picked: bool


@dataclass(frozen=True)
class Shown:
    """One item. ``texts`` are long, ``facts`` short, both by title; ``lead`` says in a line what it is about."""

    id: str
    verdict: str
    unstable: bool
    lead: str
    choices: tuple[Choice, ...]
    texts: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """Some items of one verdict: those from number ``first`` to ``last`` of them."""

    first: int
    last: int
    items: tuple[Shown, ...]


@dataclass(frozen=True)
class Group:
    """The items of one verdict, in pages. ``count`` is how many there are, shown or not."""

    title: str
    verdict: str
    count: int
    pages: tuple[Page, ...]

    @property
    def hidden(self) -> int:
        """How many of them are only in the record."""
        return self.count - sum(len(page.items) for page in self.pages)


@dataclass(frozen=True)
class Summary:
    """What a suite came to: its first metric, the numeric noise floor, and how many items are within it or unknown; None
    where its kind doesn't say."""

    score: Metric
    noise: Metric | None
    unstable: int | None
    unknown: int | None


def summary(result: EvalResult) -> Summary | None:
    """Return the figures that come first; None for a result without metrics."""
    if not result.metrics:
        return None
    named = {metric.name: metric for metric in result.metrics}
    counts = {name: int(named[name].value) if name in named else None for name in ("unstable", "unknown")}
    return Summary(result.metrics[0], named.get("noise"), counts["unstable"], counts["unknown"])


def judged(result: EvalResult) -> bool:
    """Whether the items are right or wrong, with something that was asked; else they are rows of a table."""
    return any("prompt" in item.detail or "choices" in item.detail for item in result.items)


def groups(result: EvalResult, most: int = SHOWN) -> tuple[Group, ...]:
    """Return all items by verdict, what went wrong first, each group in the order of the suite. Of many, the first ``most``
    are shown."""
    left, found = most, []
    for name, title in _TITLES.items():
        items = [item for item in result.items if _group(item) == name]
        if items:
            shown = [_shown(item) for item in items[:left]]
            pages = (shown[start : start + PAGE] for start in range(0, len(shown), PAGE))
            numbered = tuple(Page(i * PAGE + 1, i * PAGE + len(page), tuple(page)) for i, page in enumerate(pages))
            found.append(Group(title, "right" if name == "unstable" else name, len(items), numbered))
            left -= len(shown)
    return tuple(found)


def _verdict(item: Item) -> str:
    return str(item.detail.get("verdict", "right" if item.score == 1 else "wrong"))


def _group(item: Item) -> str:
    verdict = _verdict(item)
    if verdict == "right":
        return "unstable" if item.detail.get("unstable") else "right"
    return "unknown" if verdict == "unknown" else "wrong"


def _shown(item: Item) -> Shown:
    detail = item.detail
    texts, facts = [], []
    choices = tuple(_choices(detail))
    for key in sorted(detail, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST)):
        value = detail[key]
        if key in _APART or (key in ("answer", "answers") and choices):
            continue
        if key in _FIRST or isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) > 80):
            texts.append((label(key), _text(value, key)))
        else:
            facts.append((label(key), plain(value)))
    if len(scores := {item.score} - {0.0, 1.0}):
        facts.insert(0, ("Score", number(*scores)))
    return Shown(
        item.id, _verdict(item), bool(detail.get("unstable")), _lead(detail), choices, tuple(texts), tuple(facts)
    )


def _choices(detail: dict[str, Any]) -> Iterator[Choice]:
    right = detail.get("answers", [detail.get("answer")])
    choices = detail.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, dict):
            choice = {"text": plain(choice)}
        logprob, size = choice.get("logprob"), choice.get("bytes")
        per_byte = logprob / size if isinstance(logprob, (int, float)) and size else None
        yield Choice(
            text=plain(choice.get("text", "")),
            logprob=logprob,
            per_byte=per_byte,
            tokens=choice.get("tokens"),
            right=place in right,
            picked=detail.get("picked") == place,
        )


def _lead(detail: dict[str, Any]) -> str:
    """Return the reason of a verdict, or the last line of what was asked that says something."""
    if reason := detail.get("reason"):
        return plain(reason)
    lines: Sequence[str] = [line.strip() for line in plain(detail.get("prompt", "")).splitlines()]
    spoken = [line for line in lines if sum(map(str.isalpha, line)) > len(line) / 2 and " " in line]
    return (spoken or lines or [""])[-1][:160]


def _text(value: Any, key: str) -> str:
    text = value if isinstance(value, str) else pretty(value)
    over = len(text) - TEXT_SHOWN
    if over <= 0:
        return text
    if key == "prompt":  # examples stand in front, the question at the end
        return f"… {over:,} characters before this are in the record\n{text[over:]}"
    return f"{text[:TEXT_SHOWN]}\n… {over:,} more characters are in the record"
