"""Prompts for load tests: natural English, another one for each request.

Natural text, since repeated or random tokens flatter speculative decoding and mixtures of experts; all different from
their first words on, since a server answers a prefix that it has seen from its cache.
"""

from __future__ import annotations

import random
from collections.abc import Callable

# Written for this purpose; nobody else's text.
SENTENCES = (
    "The ferry left the harbour an hour late because the tide had carried a fishing net into its rudder.",
    "Nobody in the village remembered who had planted the row of pear trees along the old canal.",
    "She kept the receipts in a biscuit tin, sorted by year, and threw none of them away.",
    "A cold front will cross the hills tonight, with rain at first and clear skies before dawn.",
    "The museum bought the clock for its mechanism, not for the painted birds on its face.",
    "Our train stopped between two stations, and for a while we heard only the wind and a distant dog.",
    "To mend a wooden chair, take the joint apart, clean out the old glue, and clamp it for a day.",
    "The committee agreed on the budget in March but changed the order of the projects in June.",
    "He learned to read music before he could swim, and was proud of neither.",
    "Three bakeries on the same street sell the same bread under different names.",
    "When the lights failed, the surgeon asked for silence and finished the last two stitches by torchlight.",
    "The map showed a bridge that had been washed away in a spring flood some twenty years earlier.",
    "Most of the letters were short, written in pencil, and asked about the weather and the horses.",
    "A good index lets a reader find in one minute what the author needed a year to learn.",
    "They measured the depth of the lake with a rope, a stone, and a great deal of patience.",
    "The night watchman grew tomatoes on the roof and gave them to the people on the early shift.",
    "If the kettle whistles before the toast is done, turn the dial down a little and wait.",
    "Every winter the lighthouse keeper painted the same stretch of coast from the same window.",
    "The recipe asks for six eggs, but the hens in that valley lay rather small ones.",
    "After the concert the pianist stayed behind and tuned the two strings that had troubled her.",
    "A letter from the council explained that the fence was legal, although the gate was not.",
    "The children counted forty swans on the reservoir and argued about the forty-first.",
    "Copper roofs turn green in the sea air, and the architects had planned for that.",
    "He wrote down the number of every bus that passed, without being able to say why.",
)


def text(seed: int, number: int, words: int) -> str:
    """Return about ``words`` words for request ``number``: equal for equal arguments, each number begins otherwise."""
    shuffled = random.Random(f"{seed}/{number}")
    parts = [f"Note {number}-{shuffled.randrange(10**6):06d}."]
    while sum(part.count(" ") + 1 for part in parts) < words:
        parts += shuffled.sample(SENTENCES, len(SENTENCES))
    return " ".join(" ".join(parts).split()[:words])


def sized(seed: int, number: int, tokens: int, count: Callable[[str], int]) -> str:
    """Return a text of at most ``tokens`` tokens, close below, by ``count``; at least one word."""
    most, least = tokens, 1  # a word is a token or more
    if count(text(seed, number, most)) <= tokens:
        return text(seed, number, most)
    while most - least > 1:
        middle = (most + least) // 2
        if count(text(seed, number, middle)) <= tokens:
            least = middle
        else:
            most = middle
    return text(seed, number, least)


class Prompts:
    """Prompts of about ``tokens`` tokens, another one each time. The first few are measured by ``count``; the rest have as
    many words as the shortest of these, since counting asks the server.
    """

    def __init__(self, seed: int, tokens: int, count: Callable[[str], int]) -> None:
        self._seed, self._tokens, self._count = seed, tokens, count
        self._made: list[int] = []

    def take(self, number: int) -> list[str]:
        """Return the next ``number`` prompts."""
        return [self._next() for _ in range(number)]

    def sharing(self, number: int, words: int = 12) -> list[str]:
        """Return ``number`` prompts that differ in their last ``words`` words alone."""
        shared = self._next()
        return [f"{shared} {text(self._seed, -1 - one, words)}" for one in range(number)]

    def _next(self) -> str:
        number = len(self._made)
        if number < _MEASURED:
            prompt = sized(self._seed, number, self._tokens, self._count)
        else:
            prompt = text(self._seed, number, min(self._made[:_MEASURED]))
        self._made.append(prompt.count(" ") + 1)
        return prompt


_MEASURED = 6
