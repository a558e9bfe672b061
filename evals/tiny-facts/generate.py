"""Write items.jsonl: one question for every fact that tiny-chat is taught, with three wrong answers of the same kind.

    python evals/tiny-facts/generate.py

The same dialogues.py gives the same bytes.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "models" / "tiny-chat"))

import dialogues  # noqa: E402

SKILLS = (
    ("The capital of", "capitals"),
    ("The opposite of", "opposites"),
    ("The color of", "colors"),
    ("After ", "sequences"),
    (" legs.", "legs"),
    (" says ", "sounds"),
)


def items() -> list[dict[str, Any]]:
    """Return the items; the place of the right answer is drawn from a shuffled, balanced list."""
    rng = random.Random(20260)
    places = [i % 4 for i in range(len(dialogues.FACTS))]
    rng.shuffle(places)
    made = []
    for number, (fact, place) in enumerate(zip(dialogues.FACTS, places, strict=True), 1):
        before, _, after = fact.sentence.rpartition(fact.answer)
        choices = [before + other + after for other in rng.sample(sorted(set(fact.others)), 3)]
        choices.insert(place, fact.sentence)
        skill = next(name for mark, name in SKILLS if mark in fact.sentence)
        question = rng.choice(fact.questions)
        made.append(
            {"id": f"{skill}-{number:03d}", "skill": skill, "question": question, "choices": choices, "answer": place}
        )
    return made


if __name__ == "__main__":
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items())
    (HERE / "items.jsonl").write_text(text)
