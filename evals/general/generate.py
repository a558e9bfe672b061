"""Write items.jsonl here, and that of ``general-scored`` beside: the same questions, generated and scored.

    python evals/general/generate.py

Every answer is computed, or stands in ``words.py``. The same code gives the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import words as w  # noqa: E402

EACH = 52
NUMBER, WORD, LETTER = "Answer with the number alone.", "Answer with one word.", "Answer with the letter alone."
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True)
class Question:
    """``hint`` says how to answer; ``wrong`` are three other answers; ``also`` are other right forms."""

    text: str
    answer: str
    wrong: tuple[str, ...]
    hint: str
    also: tuple[str, ...] = ()


def near(rng: random.Random, value: Fraction | int, scale: int = 0) -> tuple[str, ...]:
    """Return three other numbers, of the same size and form."""
    value = Fraction(value)
    steps = [1, 2, 3, 5, 10, -1, -2, -3, -5, -10] if abs(value) < 1000 else [10, 20, 50, 100, -10, -20, -50, -100]
    unit = Fraction(1, 10) if value.denominator > 1 else Fraction(1)
    made = [value + unit * step for step in rng.sample(steps, len(steps)) if value + unit * step > 0]
    return tuple(shown(one) for one in made[:3])


def shown(value: Fraction | int) -> str:
    value = Fraction(value)
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def arithmetic(rng: random.Random) -> Question:
    kind = rng.randrange(7)
    a, b, c = rng.randint(11, 99), rng.randint(11, 99), rng.randint(2, 12)
    if kind == 0:
        text, value = f"What is {a} + {b}?", a + b
    elif kind == 1:
        text, value = f"What is {a + b} - {b}?", a
    elif kind == 2:
        text, value = f"What is {a} times {c}?", a * c
    elif kind == 3:
        text, value = f"What is {a * c} divided by {c}?", a
    elif kind == 4:
        text, value = f"What is {a} + {b} * {c}?", a + b * c
    elif kind == 5:
        share, whole = rng.choice((10, 20, 25, 50, 75)), 20 * rng.randint(2, 40)
        text, value = f"What is {share} percent of {whole}?", share * whole // 100
    else:
        text = (
            f"A box holds {a} pens. How many pens are in {c} boxes when {min(b, a)} pens are taken out of one of them?"
        )
        value = a * c - min(b, a)
    return Question(text, str(value), near(rng, value), NUMBER)


def units(rng: random.Random) -> Question:
    name, other, factor = rng.choice(
        (
            *(("kilometers", "meters", 1000), ("meters", "centimeters", 100), ("kilograms", "grams", 1000)),
            *(
                ("liters", "milliliters", 1000),
                ("hours", "minutes", 60),
                ("minutes", "seconds", 60),
                ("days", "hours", 24),
            ),
            *(
                ("weeks", "days", 7),
                ("centimeters", "millimeters", 10),
                ("tonnes", "kilograms", 1000),
                ("dozens", "pieces", 12),
            ),
        )
    )
    count = rng.randint(2, 60)
    if rng.random() < 0.6:
        large = count * factor
        wrong = [count * f for f in (10, 100, 1000, 60, 12, 24, 7, 30) if f != factor]
        return Question(f"How many {other} are {count} {name}?", str(large), pick(rng, wrong, large), NUMBER)
    return Question(f"How many {name} are {count * factor} {other}?", str(count), near(rng, count), NUMBER)


def pick(rng: random.Random, others: list[int], value: int) -> tuple[str, ...]:
    return tuple(map(str, rng.sample(sorted(set(others) - {value}), 3)))


def dates(rng: random.Random) -> Question:
    kind = rng.randrange(5)
    day = date(2001, 1, 1) + timedelta(days=rng.randrange(9000))
    if kind == 0:
        ahead = rng.randint(2, 30)
        start = rng.choice(DAYS)
        answer = DAYS[(DAYS.index(start) + ahead) % 7]
        text = f"Today is {start}. Which day of the week is it in {ahead} days?"
        return Question(text, answer, other(rng, DAYS, answer), WORD)
    if kind == 1:
        month = rng.randrange(12)
        year = rng.choice((2023, 2024, 2025, 2026, 2028))
        after = date(year + month // 11, (month + 1) % 12 + 1, 1)
        length = (after - date(year, month + 1, 1)).days
        text = f"How many days does {MONTHS[month]} {year} have?"
        return Question(
            text, str(length), tuple(str(n) for n in (27, 28, 29, 30, 31, 32) if n != length)[-4:-1], NUMBER
        )
    if kind == 2:
        ahead = rng.randint(3, 45)
        text = f"Which date is {ahead} days after {day.isoformat()}? Write it as YYYY-MM-DD."
        found = day + timedelta(days=ahead)
        wrong = tuple((found + timedelta(days=n)).isoformat() for n in rng.sample([-7, -2, -1, 1, 2, 7, 30], 3))
        return Question(text, found.isoformat(), wrong, "Answer with the date alone.")
    if kind == 3:
        later = day + timedelta(days=rng.randint(5, 60))
        text = f"How many days are there from {day.isoformat()} to {later.isoformat()}, the first of them not counted?"
        return Question(text, str((later - day).days), near(rng, (later - day).days), NUMBER)
    ahead = rng.randint(1, 11)
    start = rng.choice(MONTHS)
    answer = MONTHS[(MONTHS.index(start) + ahead) % 12]
    text = f"Which month comes {ahead} month{'s' if ahead > 1 else ''} after {start}?"
    return Question(text, answer, other(rng, MONTHS, answer), WORD)


def other(rng: random.Random, pool: list[str], answer: str) -> tuple[str, ...]:
    return tuple(rng.sample([one for one in pool if one != answer], 3))


def sorting(rng: random.Random) -> Question:
    kind = rng.randrange(4)
    chosen, numbers = rng.sample(w.WORDS, 4), rng.sample(range(100, 1000), 5)
    if kind == 0:
        right = sorted(chosen)
        text = f"Sort these words from A to Z: {', '.join(chosen)}. Write them with a comma and a space between."
        return Question(text, ", ".join(right), orders(rng, right), "Answer with the list alone.")
    if kind == 1:
        figures = sorted(numbers, reverse=rng.random() < 0.5)
        how = "smallest to the largest" if figures[0] < figures[-1] else "largest to the smallest"
        text = f"Sort these numbers from the {how}: {', '.join(map(str, numbers))}. Write them with a comma and a space between."
        right = [str(number) for number in figures]
        return Question(text, ", ".join(right), orders(rng, right), "Answer with the list alone.")
    if kind == 2:
        answer = sorted(chosen)[-1]
        text = f"Which of these words comes last in the alphabet: {', '.join(chosen)}?"
        return Question(text, answer, tuple(one for one in chosen if one != answer), WORD)
    answer = str(sorted(numbers)[1])
    text = f"Which of these numbers is the second smallest: {', '.join(map(str, numbers))}?"
    return Question(text, answer, tuple(str(n) for n in numbers if str(n) != answer)[:3], NUMBER)


def orders(rng: random.Random, right: list[str]) -> tuple[str, ...]:
    made: list[str] = []
    while len(made) < 3:
        one = ", ".join(rng.sample(right, len(right)))
        if one != ", ".join(right) and one not in made:
            made.append(one)
    return tuple(made)


def strings(rng: random.Random) -> Question:
    word, kind = rng.choice(w.WORDS), rng.randrange(6)
    if kind == 0:
        return Question(f"Write the word {word} backwards.", word[::-1], shuffles(rng, word[::-1]), WORD)
    if kind == 1:
        place = rng.randint(2, len(word) - 1)
        ordinal = ("", "", "second", "third", "fourth", "fifth", "sixth", "seventh")[place]
        answer = word[place - 1]
        wrong = [one for one in dict.fromkeys(word + "aeiou") if one != answer]
        return Question(
            f"What is the {ordinal} letter of the word {word}?", answer, tuple(rng.sample(wrong, 3)), LETTER
        )
    if kind == 2:
        letter = rng.choice(word)
        count = word.count(letter)
        text = f"How many times does the letter {letter} occur in the word {word}?"
        return Question(text, str(count), tuple(str(n) for n in range(5) if n != count)[:3], NUMBER)
    if kind == 3:
        answer = "".join(char for char in word if char not in "aeiou")
        text = f"Remove the vowels a, e, i, o and u from the word {word}. What is left?"
        return Question(text, answer, shuffles(rng, answer), WORD)
    if kind == 4:
        letter, new = rng.choice(word), rng.choice("xzq")
        text = f"Replace every letter {letter} in the word {word} with the letter {new}."
        answer = word.replace(letter, new)
        return Question(text, answer, shuffles(rng, answer), WORD)
    answer = str(len(word))
    return Question(f"How many letters does the word {word} have?", answer, near(rng, len(word)), NUMBER)


def shuffles(rng: random.Random, text: str) -> tuple[str, ...]:
    """Return three texts that differ from ``text``: two letters changed places, or one is another."""
    made: list[str] = []
    while len(made) < 3:
        one = list(text)
        i, j = rng.sample(range(len(one)), 2)
        if rng.random() < 0.7:
            one[i], one[j] = one[j], one[i]
        else:
            letter = rng.choice("abcdefghijklmnoprstu")
            one[i] = letter.upper() if text.isupper() else letter
        if "".join(one) != text and "".join(one) not in made:
            made.append("".join(one))
    return tuple(made)


def logic(rng: random.Random) -> Question:
    kind = rng.randrange(4)
    people = rng.sample(w.NAMES, 4)
    if kind == 0:
        more, least, most = rng.choice((("older", "youngest", "oldest"), ("taller", "shortest", "tallest")))
        facts = [f"{a} is {more} than {b}." for a, b in pairwise(people)]
        rng.shuffle(facts)
        top = rng.random() < 0.5
        answer = people[0] if top else people[-1]
        text = f"{' '.join(facts)} Who is the {most if top else least}?"
        return Question(text, answer, tuple(one for one in people if one != answer), "Answer with the name alone.")
    if kind == 1:
        a, b, c = (rng.choice(("true", "false")) for _ in range(3))
        op, other_op = rng.choice((("and", "or"), ("or", "and")))
        text = f"Let A be {a}, B be {b} and C be {c}. Is (A {op} B) {other_op} (not C) true or false?"
        value = eval(f"({a} {op} {b}) {other_op} (not {c})".replace("true", "True").replace("false", "False"))  # noqa: S307
        answer = "true" if value else "false"
        return Question(text, answer, ("false" if value else "true", "unknown", "both"), "Answer true or false.")
    if kind == 2:
        step, start = rng.randint(2, 9), rng.randint(1, 20)
        row = [start + step * n for n in range(6)] if rng.random() < 0.6 else [start * 2**n for n in range(6)]
        text = f"Which number comes next: {', '.join(map(str, row[:5]))}?"
        return Question(text, str(row[5]), near(rng, row[5]), NUMBER)
    line = people[:4]
    place = rng.randrange(3)
    facts = " ".join(f"{b} stands directly behind {a}." for a, b in pairwise(line))
    text = f"Four people stand in a line. {facts} Who stands directly in front of {line[place + 1]}?"
    return Question(text, line[place], tuple(one for one in line if one != line[place]), "Answer with the name alone.")


def reading(rng: random.Random) -> Question:
    (a, b), (thing, second) = rng.sample(w.NAMES, 2), rng.sample(w.THINGS, 2)
    (room, room2), town = rng.sample(w.ROOMS, 2), rng.choice(w.TOWNS)
    color, price, day = rng.choice(w.COLORS), rng.randint(12, 95), rng.choice(DAYS)
    text = (
        f"On {day}, {a} went to the market in {town} and bought a {color} {thing} for {price} euros. At home, {a} put it in the "
        f"{room}. {b}, who lives next door, came by later with an old {second} and left it in the {room2}."
    )
    asks: list[tuple[str, str, tuple[str, ...], str]] = [
        ("Who bought something at the market?", a, other(rng, w.NAMES, a), "Answer with the name alone."),
        ("In which town is the market?", town, other(rng, w.TOWNS, town), "Answer with the name alone."),
        (f"What color is the {thing}?", color, other(rng, w.COLORS, color), WORD),
        (f"How many euros did the {thing} cost?", str(price), near(rng, price), NUMBER),
        (f"In which room is the {second}?", room2, other(rng, w.ROOMS, room2), WORD),
        (f"In which room did {a} put the {thing}?", room, other(rng, w.ROOMS, room), WORD),
        (f"Who left the {second}?", b, other(rng, w.NAMES, b), "Answer with the name alone."),
        (f"On which day did {a} go to the market?", day, other(rng, DAYS, day), WORD),
    ]
    ask, answer, wrong, hint = rng.choice(asks)
    return Question(f"{text}\n{ask}", answer, wrong, hint)


def facts(rng: random.Random) -> Iterator[Question]:
    """Yield every fact once, in a drawn order."""
    cities, signs, lands = list(w.CAPITALS.values()), list(w.SYMBOLS.values()), sorted(set(w.CONTINENTS.values()))
    made = [
        Question(text, answer, wrong, "Answer with a word or two, or a number.", also)
        for text, answer, wrong, also in w.FACTS
    ]
    for land, city in w.CAPITALS.items():
        made.append(
            Question(f"What is the capital of {land}?", city, other(rng, cities, city), WORD, w.SPELLINGS.get(city, ()))
        )
    for name, sign in w.SYMBOLS.items():
        text = f"What is the chemical symbol of {name}?"
        made.append(Question(text, sign, other(rng, signs, sign), "Answer with the symbol alone."))
    for land, where in w.CONTINENTS.items():
        made.append(
            Question(f"On which continent is {land}?", where, other(rng, lands, where), "Answer with its name alone.")
        )
    rng.shuffle(made)
    yield from made


def code(rng: random.Random) -> Question:
    a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 5)
    word = rng.choice(w.WORDS)
    program = rng.choice(
        (
            f"total = 0\nfor i in range({a}):\n    total += i\nprint(total)",
            f"x = {a}\nfor _ in range({c}):\n    x = x + {b}\nprint(x)",
            f"values = [{a}, {b}, {a + b}, {c}]\nprint(max(values) - min(values))",
            f'print(len("{word}") * {c})',
            f'print("{word}"[{c - 2}])',
            f'print("{word}".upper()[:{c}])',
            f"x = {a}\nif x > {b}:\n    print(x - {b})\nelse:\n    print(x + {b})",
            f"print([n * n for n in range({c + 2})][-1])",
            f"print({a * b} // {c} + {a * b} % {c})",
            f'text = "{word}"\ncount = 0\nfor char in text:\n    if char == "{rng.choice(word)}":\n        count += 1\nprint(count)',
            f"def f(n):\n    return n * 2 + {b}\n\nprint(f(f({a})))",
            f"a, b = {a}, {b}\na, b = b, a + b\nprint(a * b)",
        )
    )
    output = run(program)
    if output.isdigit():
        wrong = near(rng, int(output))
    elif len(output) == 1:
        wrong = tuple(rng.sample([char for char in "abcdefghijklm" if char != output], 3))
    else:
        wrong = shuffles(rng, output)
    return Question(f"What does this Python program print?\n{program}", output, wrong, "Answer with the output alone.")


def run(program: str) -> str:
    """Return what one of our own programs prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})  # noqa: S102
    return printed.getvalue().strip()


def translation(rng: random.Random) -> Iterator[Question]:
    """Yield words and languages, each pair once, in a drawn order."""
    languages = ("German", "French", "Spanish", "Italian")
    pairs = [(word, number) for word in w.TRANSLATIONS for number in range(4)]
    rng.shuffle(pairs)
    for word, number in pairs:
        language, answer = languages[number], w.TRANSLATIONS[word][number]
        forms = (answer, *w.ALSO.get((word, language), ()))
        also = (*forms[1:], *(article + form for form in forms for article in w.ARTICLES[language]))
        pool = sorted({many[number] for many in w.TRANSLATIONS.values()} - {answer})
        text = f'What is the {language} word for "{word}"?'
        yield Question(text, answer, tuple(rng.sample(pool, 3)), WORD, also)


SKILLS: dict[str, Callable[[random.Random], Any]] = {
    kind.__name__: kind
    for kind in (arithmetic, units, dates, sorting, strings, logic, reading, facts, code, translation)
}


def questions() -> list[tuple[str, Question]]:
    """Return every question with its id, ``EACH`` a skill, none twice."""
    made = []
    for skill, kind in SKILLS.items():
        rng = random.Random(f"general/{skill}")
        drawn = kind(rng) if skill in ("facts", "translation") else iter(lambda kind=kind, rng=rng: kind(rng), None)
        seen: dict[str, Question] = {}
        for question in drawn:
            right = {question.answer.casefold(), *(one.casefold() for one in question.also)}
            if len({one.casefold() for one in question.wrong} - right) == 3 and question.text not in seen:
                seen[question.text] = question
            if len(seen) == EACH:
                break
        made += [(f"{skill}-{number:02d}", question) for number, question in enumerate(seen.values(), 1)]
    return made


def lettered(id: str, question: Question) -> tuple[list[str], int]:
    """Return the choices in a drawn order, and the place of the right one."""
    choices = [question.answer, *question.wrong]
    random.Random(f"order/{id}").shuffle(choices)
    return choices, choices.index(question.answer)


def items() -> list[dict[str, Any]]:
    """Return the items to generate answers for: of four, one is a multiple choice, the others are short answers."""
    made: list[dict[str, Any]] = []
    for number, (id, question) in enumerate(questions()):
        skill = id.rpartition("-")[0]
        content: dict[str, Any] = {"id": id, "skill": skill}
        letters = any(len(one) == 1 and one.isalpha() for one in (question.answer, *question.wrong))
        if number % 4 == 0 and not letters:  # a choice that is a letter would be taken for that of another
            choices, place = lettered(id, question)
            text = f"{question.text}\nAnswer with the letter of the right choice:"
            content |= {"question": text, "choices": choices, "match": "choice", "answer": place}
        elif question.hint == NUMBER:
            value = float(question.answer)
            answer = int(value) if value.is_integer() else value
            content |= {"question": f"{question.text}\n{NUMBER}", "match": "numeric", "answer": answer}
        else:
            accepted = [question.answer, *question.also]
            content |= {
                "question": f"{question.text}\n{question.hint}",
                "match": "exact",
                "answer": accepted if len(accepted) > 1 else accepted[0],
            }
        made.append(content)
    return made


def scored() -> list[dict[str, Any]]:
    """Return the same questions with four choices each, to be scored."""
    made = []
    for id, question in questions():
        choices, place = lettered(id, question)
        skill = id.rpartition("-")[0]
        made.append({"id": id, "skill": skill, "question": question.text, "choices": choices, "answer": place})
    return made


if __name__ == "__main__":
    for folder, rows in ((HERE, items()), (HERE.parent / "general-scored", scored())):
        (folder / "items.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
