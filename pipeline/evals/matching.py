"""Whether a short answer is the wanted one. Pure; each way states what does not count.

Before any comparison, a text is taken in Unicode's NFKC form, without outer white space.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pipeline.core import search
from pipeline.core.canonical import no_constant

LONGEST = 20_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?![\w])|(?<![\w.,])[-+]?\.\d+"
)
_FENCE = re.compile(r"\A```[A-Za-z0-9]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_LETTER = re.compile(
    r"(?:the )?(?:(?:correct |right )?(?:answer|choice|option)(?: is|:)?:? ?)?\(?([a-z])(?:\)|\.|:|,|$|\s-)"
)


def clean(text: str) -> str:
    """Return ``text`` in NFKC form without outer white space, and not longer than ``LONGEST`` characters."""
    return unicodedata.normalize("NFKC", text[:LONGEST]).strip()


def plain(text: str) -> str:
    """Return what counts in an exact comparison: letter case, quotes and emphasis around the whole, runs of white space
    and one final mark (. ! ?) don't."""
    found = " ".join(clean(text).casefold().split())
    for _ in range(3):
        found = found.strip("\"'`*_“”‘’«» ")
        found = found[:-1].rstrip() if found[-1:] in (".", "!", "?") else found
    return found


def exact(text: str, wanted: Sequence[str]) -> bool:
    """Tell whether the whole answer is one of those wanted, compared by ``plain``."""
    return plain(text) in {plain(one) for one in wanted}


def contains(text: str, wanted: Sequence[str]) -> bool:
    """Tell whether one of those wanted stands in the answer as whole words, letter case aside."""
    found = " ".join(clean(text).casefold().split())
    return any(
        re.search(rf"(?<!\w){re.escape(' '.join(clean(one).casefold().split()))}(?!\w)", found) for one in wanted
    )


def regex(text: str, pattern: str) -> bool:
    """Tell whether the pattern is found anywhere in the answer; ``^`` and ``$`` are its ends. Raises Unsearchable."""
    return search.found(pattern, clean(text))


def last_number(text: str) -> Decimal | None:
    """Return the last number in a text, or None. Commas between groups of three digits are left out; a minus may be ``−``;
    units, signs of percent and currency beside it don't count."""
    found = _NUMBER.findall(
        re.sub(r"(?<=\d)\s*(?:%|°|[€$£¥])", " ", re.sub(r"[€$£¥]\s*(?=[\d.])", "", clean(text).replace("−", "-")))
    )
    try:
        return Decimal(found[-1].replace(",", "")) if found else None
    except InvalidOperation:
        return None


def numeric(text: str, wanted: Decimal, tolerance: float = 0.0) -> bool:
    """Tell whether the answer's last number is the wanted one, to within ``tolerance`` of its size."""
    found = last_number(text)
    return found is not None and abs(found - wanted) <= abs(wanted) * Decimal(str(tolerance))


def choice(text: str, choices: Sequence[str]) -> int | None:
    """Return which choice an answer takes: by its letter at the beginning (``B``, ``(B)``, ``B. Rome``, ``The answer is
    B``), or by its text alone; None where it takes none, or can't be told."""
    found = plain(text)
    by_text = [number for number, one in enumerate(choices) if plain(one) == found]
    if len(by_text) == 1:
        return by_text[0]
    letter = _LETTER.match(" ".join(clean(text).strip("*`\"' ").casefold().split()))
    if letter and (number := LETTERS.index(letter[1].upper())) < len(choices):
        return number
    return None


def json_of(text: str) -> Any:
    """Return the JSON that is the whole answer, or stands alone in a code fence. Raises ValueError for anything else, and
    for a key that stands twice."""
    found = text.strip()
    fenced = _FENCE.match(found)
    return strict_json(fenced[1] if fenced else found)


def strict_json(text: str) -> Any:
    """Read JSON whose numbers all are numbers. Raises ValueError for anything else: NaN, a number beyond those of a
    computer, a key that stands twice."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)
