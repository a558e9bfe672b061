"""Write items.jsonl: requests with instructions that code can verify.

    python evals/instructions/generate.py

Each of ``KINDS`` says how an instruction reads and is judged, and to what it belongs (``length``, ``case`` …): of each group a
prompt has one at most, so that instructions don't contradict each other. The same code gives the same bytes.
"""

# ruff: noqa: E501 - an instruction stands on one line
from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOPICS = (
    "Describe a rainy morning in a small town.", "Explain how to boil an egg.", "Write a note to a neighbor about a lost cat.",
    "Tell a story about an old lighthouse.", "Give advice to somebody who learns to ride a bicycle.", "Describe your favorite season.",
    "Explain why people drink water.", "Write about a walk through a forest.", "Describe how bread is made.", "Write a short letter to a friend.",
    "Explain what a library is for.", "Describe a busy train station.", "Write about the moon.", "Tell how a garden changes over a year.",
    "Explain how to clean a window.", "Write about a day at the sea.", "Describe a bridge.", "Explain what a map is for.",
    "Write about learning to cook.", "Describe a market on a Saturday.",
)  # fmt: skip
WORDS = "water stone light green quiet river morning bread window friend paper winter".split()
ENDINGS = ("That is all.", "Thank you for reading.", "This is the end.")
STARTS = ("To begin with", "Once upon a time", "First of all")
LANGUAGES = {"German": "de", "French": "fr", "Spanish": "es", "Italian": "it"}
Made = tuple[str, dict[str, Any]]


def words(rng: random.Random) -> Made:
    if rng.random() < 0.5:
        count = rng.choice((20, 30, 40, 60))
        return f"Use at least {count} words.", {
            "id": "length_constraints:number_words",
            "num_words": count,
            "relation": "at least",
        }
    count = rng.choice((30, 50, 80))
    return f"Use fewer than {count} words.", {
        "id": "length_constraints:number_words",
        "num_words": count,
        "relation": "less than",
    }


def sentences(rng: random.Random) -> Made:
    count = rng.randint(2, 5)
    return f"Write exactly {count} sentences.", {
        "id": "length_constraints:number_sentences",
        "num_sentences": count,
        "relation": "exactly",
    }


def paragraphs(rng: random.Random) -> Made:
    count = rng.randint(2, 4)
    text = f"Write exactly {count} paragraphs, with a blank line between one paragraph and the next."
    return text, {"id": "length_constraints:blank_line_paragraphs", "num_paragraphs": count, "relation": "exactly"}


def include(rng: random.Random) -> Made:
    chosen = rng.sample(WORDS, 2)
    return f'Use the words "{chosen[0]}" and "{chosen[1]}".', {"id": "keywords:existence", "keywords": chosen}


def often(rng: random.Random) -> Made:
    word, count = rng.choice(WORDS), rng.randint(2, 4)
    text = f'Use the word "{word}" at least {count} times.'
    return text, {"id": "keywords:frequency", "keyword": word, "frequency": count, "relation": "at least"}


def forbid(rng: random.Random) -> Made:
    chosen = rng.sample(("very", "and", "the", "good", "nice", "really"), 2)
    return f'Do not use the words "{chosen[0]}" and "{chosen[1]}".', {
        "id": "keywords:forbidden_words",
        "forbidden_words": chosen,
    }


def letter(rng: random.Random) -> Made:
    char, count = rng.choice("kvwy"), rng.choice((3, 5))
    text = f'The letter "{char}" must occur at least {count} times.'
    return text, {"id": "keywords:letter_frequency", "letter": char, "let_frequency": count, "let_relation": "at least"}


def bullets(rng: random.Random) -> Made:
    count = rng.randint(2, 5)
    text = f"Answer with exactly {count} bullet points, each on a line that begins with a hyphen."
    return text, {"id": "detectable_format:number_bullet_lists", "num_bullets": count}


def numbered(rng: random.Random) -> Made:
    count = rng.randint(3, 5)
    text = f"Answer with a numbered list of exactly {count} entries (1., 2., and so on), each on a line of its own."
    return text, {"id": "detectable_format:numbered_list", "num_items": count}


def title(rng: random.Random) -> Made:
    return "Give it a title in double angle brackets, such as <<a title>>.", {"id": "detectable_format:title"}


def highlight(rng: random.Random) -> Made:
    count = rng.randint(1, 3)
    text = f"Put at least {count} word{'s' if count > 1 else ''} between asterisks, each *like this*."
    return text, {"id": "detectable_format:number_highlighted_sections", "num_highlights": count}


def as_json(rng: random.Random) -> Made:
    return "The whole answer must be JSON.", {"id": "detectable_format:json_format"}


def lower(rng: random.Random) -> Made:
    return "Write in English, in small letters only, without any capital letter.", {
        "id": "change_case:english_lowercase"
    }


def upper(rng: random.Random) -> Made:
    return "Write in English, in capital letters only.", {"id": "change_case:english_capital"}


def no_comma(rng: random.Random) -> Made:
    return "Do not use any comma.", {"id": "punctuation:no_comma"}


def end(rng: random.Random) -> Made:
    phrase = rng.choice(ENDINGS)
    return f'End with exactly this phrase, and nothing after it: "{phrase}"', {
        "id": "startend:end_checker",
        "end_phrase": phrase,
    }


def start(rng: random.Random) -> Made:
    phrase = rng.choice(STARTS)
    return f'Begin with exactly this phrase: "{phrase}"', {"id": "startend:start_checker", "start_phrase": phrase}


def quotation(rng: random.Random) -> Made:
    return "Put the whole answer in double quotation marks.", {"id": "startend:quotation"}


def postscript(rng: random.Random) -> Made:
    return "Add a postscript at the end that begins with P.S.", {
        "id": "detectable_content:postscript",
        "postscript_marker": "P.S.",
    }


def placeholders(rng: random.Random) -> Made:
    count = rng.randint(1, 3)
    text = f"Use at least {count} placeholder{'s' if count > 1 else ''} in square brackets, such as [name]."
    return text, {"id": "detectable_content:number_placeholders", "num_placeholders": count}


def language(rng: random.Random) -> Made:
    name = rng.choice(sorted(LANGUAGES))
    return f"Answer in {name}.", {"id": "language:response_language", "language": LANGUAGES[name]}


# Of the groups that a kind is in, a prompt has no other kind.
KINDS: dict[Callable[[random.Random], Made], set[str]] = {
    words: {"length"},
    sentences: {"length", "form"},
    paragraphs: {"length", "form"},
    include: {"words", "english"},
    often: {"words", "english"},
    forbid: {"forbidden", "phrases", "english"},
    letter: {"letters"},
    bullets: {"form", "begin", "last"},
    numbered: {"form", "begin", "last"},
    title: {"begin", "form"},
    highlight: {"marks"},
    as_json: {"form", "begin", "last", "length", "marks", "commas", "case", "english", "words", "letters", "forbidden", "phrases", "brackets"},
    lower: {"case", "english", "phrases"},
    upper: {"case", "english", "phrases"},
    no_comma: {"commas"},
    end: {"last", "phrases", "english", "length"},
    start: {"begin", "phrases", "english", "length"},
    quotation: {"begin", "last", "form"},
    postscript: {"last", "length", "form", "case", "phrases"},
    placeholders: {"brackets"},
    language: {"english", "case", "letters", "phrases"},
}  # fmt: skip


def items() -> list[dict[str, Any]]:
    """Return 100 items: every kind alone twice, then combinations of two and three."""
    rng, made = random.Random("instructions"), list[dict[str, Any]]()
    kinds = list(KINDS)
    for count in range(100):
        if count < 2 * len(kinds):
            chosen = [kinds[count % len(kinds)]]
        else:
            chosen = compatible(rng, kinds, 2 if count < 75 else 3)
        parts = [kind(rng) for kind in chosen]
        prompt = " ".join([rng.choice(TOPICS), *(text for text, _ in parts)])
        made.append(
            {"id": f"instructions-{count + 1:03d}", "prompt": prompt, "instructions": [one for _, one in parts]}
        )
    return made


def compatible(
    rng: random.Random, kinds: list[Callable[[random.Random], Made]], count: int
) -> list[Callable[[random.Random], Made]]:
    """Return kinds of which no two share a group."""
    while True:
        chosen = rng.sample(kinds, count)
        if sum(len(KINDS[kind]) for kind in chosen) == len(set.union(*(KINDS[kind] for kind in chosen))):
            return chosen


if __name__ == "__main__":
    (HERE / "items.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items()))
