"""Write items.jsonl: short texts, and the JSON that is wanted of them.

    python evals/structure/generate.py

A text, its schema and the values wanted are made from the same draw. The same code gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EACH = 4
NAMES = "Anna Ben Carla David Emma Felix Greta Hugo Irene Jonas Maria Nils".split()
CITIES = "Oslo Lisbon Vienna Prague Dublin Athens Warsaw Madrid".split()
FRUIT = "apples pears plums cherries oranges lemons".split()
COLORS = "red blue green yellow black white".split()
STRING, INTEGER, NUMBER, BOOLEAN = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
Made = tuple[str, dict[str, Any], dict[str, Any]]


def closed(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """Return the schema of an object with these properties and no other."""
    wanted = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": wanted, "additionalProperties": False}


def person(r: random.Random) -> Made:
    name, age, city = r.choice(NAMES), r.randint(18, 80), r.choice(CITIES)
    return (
        f"{name} is {age} years old and lives in {city}.",
        closed({"name": STRING, "age": INTEGER, "city": STRING}),
        {"name": name, "age": age, "city": city},
    )


def order(r: random.Random) -> Made:
    fruit, count, price = r.choice(FRUIT), r.randint(2, 30), r.randint(101, 999) / 100
    text = f"The order is for {count} kilograms of {fruit}, at {price:.2f} euros a kilogram. It is paid."
    schema = closed(
        {
            "item": STRING,
            "kilograms": {"type": "integer", "minimum": 1},
            "price": {"type": "number", "exclusiveMinimum": 0},
            "paid": BOOLEAN,
        }
    )
    return text, schema, {"item": fruit, "kilograms": count, "price": price, "paid": True}


def palette(r: random.Random) -> Made:
    colors = r.sample(COLORS, r.randint(2, 4))
    text = f"The flag has these colors, from top to bottom: {', '.join(colors)}."
    schema = closed(
        {"colors": {"type": "array", "items": {"type": "string", "enum": COLORS}, "minItems": 1, "maxItems": 6}}
    )
    return text, schema, {"colors": colors}


def event(r: random.Random) -> Made:
    day, hour, city = f"2026-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}", r.randint(8, 21), r.choice(CITIES)
    text = f"The concert in {city} is on {day} and begins at {hour} o'clock (24-hour clock)."
    schema = closed(
        {
            "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            "hour": {"type": "integer", "minimum": 0, "maximum": 23},
            "city": STRING,
        }
    )
    return text, schema, {"date": day, "hour": hour, "city": city}


def address(r: random.Random) -> Made:
    name, number, city = r.choice(NAMES), r.randint(1, 200), r.choice(CITIES)
    text = f"Please send the parcel to {name}, Mill Lane {number}, {city}."
    schema = closed({"recipient": STRING, "address": closed({"street": STRING, "number": INTEGER, "city": STRING})})
    return text, schema, {"recipient": name, "address": {"street": "Mill Lane", "number": number, "city": city}}


def guests(r: random.Random) -> Made:
    people = [(name, r.randint(1, 5)) for name in r.sample(NAMES, 3)]
    text = (
        " ".join(f"{name} brings {count} friend{'s' if count > 1 else ''}." for name, count in people)
        + " Keep the order."
    )
    schema = closed(
        {
            "guests": {
                "type": "array",
                "items": closed({"name": STRING, "friends": INTEGER}),
                "minItems": 3,
                "maxItems": 3,
            }
        }
    )
    return text, schema, {"guests": [{"name": name, "friends": count} for name, count in people]}


def ticket(r: random.Random) -> Made:
    level, name = r.choice(("low", "medium", "high")), r.choice(NAMES)
    text = f"{name} reports: the printer on the second floor is jammed. The priority of the ticket is {level}, and it is open."
    schema = closed(
        {
            "reporter": STRING,
            "priority": {"type": "string", "enum": ["low", "medium", "high"]},
            "status": {"type": "string", "enum": ["open", "closed"]},
        }
    )
    return text, schema, {"reporter": name, "priority": level, "status": "open"}


def measurement(r: random.Random) -> Made:
    value, valid = r.randint(-200, 350) / 10, r.random() < 0.5
    text = f"The sensor shows {value:g} degrees Celsius; the reading is {'valid' if valid else 'not valid'}."
    schema = closed({"celsius": {"type": "number", "minimum": -50, "maximum": 60}, "valid": BOOLEAN})
    return text, schema, {"celsius": value, "valid": valid}


def phone(r: random.Random) -> Made:
    name, known = r.choice(NAMES), r.random() < 0.5
    number = f"{r.randint(100, 999)}-{r.randint(1000, 9999)}"
    text = f"{name}'s telephone number is {number}." if known else f"{name}'s telephone number is not known (null)."
    schema = closed({"name": STRING, "phone": {"type": ["string", "null"]}})
    return text, schema, {"name": name, "phone": number if known else None}


def team(r: random.Random) -> Made:
    lead, *others = r.sample(NAMES, 4)
    text = f"{lead} leads the team. Its other members, in this order, are {', '.join(others)}."
    schema = closed(
        {
            "lead": STRING,
            "members": {"type": "array", "items": STRING, "minItems": 1, "uniqueItems": True},
            "size": INTEGER,
        },
        ["lead", "members"],
    )
    return text, schema, {"lead": lead, "members": others}


def shape(r: random.Random) -> Made:
    circle, size = r.random() < 0.5, r.randint(2, 40)
    text = f"Draw a circle with a radius of {size}." if circle else f"Draw a square with a side of {size}."
    schema = {
        "anyOf": [
            closed({"shape": {"const": "circle"}, "radius": INTEGER}),
            closed({"shape": {"const": "square"}, "side": INTEGER}),
        ]
    }
    return text, schema, {"shape": "circle", "radius": size} if circle else {"shape": "square", "side": size}


def stock(r: random.Random) -> Made:
    fruit = r.sample(FRUIT, 3)
    counts = {name: r.randint(1, 99) for name in fruit}
    text = "In stock: " + ", ".join(f"{count} {name}" for name, count in counts.items()) + "."
    schema = closed({"stock": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}})
    return text, schema, {"stock": counts}


KINDS: tuple[Callable[[random.Random], Made], ...] = (
    *(person, order, palette, event, address, guests, ticket, measurement, phone, team, shape, stock),
)


def items() -> list[dict[str, Any]]:
    """Return ``EACH`` items of each kind, no text twice."""
    made: list[dict[str, Any]] = []
    for kind in KINDS:
        rng, seen = random.Random(f"structure/{kind.__name__}"), set[str]()
        while len(seen) < EACH:
            text, schema, expect = kind(rng)
            if text not in seen:
                seen.add(text)
                made.append({"id": f"{kind.__name__}-{len(seen)}", "prompt": text, "schema": schema, "expect": expect})
    return made


if __name__ == "__main__":
    (HERE / "items.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items()))
