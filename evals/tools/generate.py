"""Write items.jsonl: requests with the tools on offer and the calls that are wanted.

    python evals/tools/generate.py

A request and its calls are made from the same values, so that the calls are right by construction. The same code gives
the same bytes.
"""
# ruff: noqa: E501 - a tool stands on a few long lines

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CITIES = "Oslo Lisbon Vienna Prague Dublin Athens Warsaw Madrid Helsinki Berlin Nairobi Lima Toronto Kyoto Cairo Denver".split()
PEOPLE = "Anna Ben Carla David Emma Felix Greta Hugo Irene Jonas Maria Nils Olga Paul Rita Tomas".split()
ROOMS = "kitchen bedroom office hallway garage bathroom".split()
SONGS = "Morning Light;Blue River;Paper Boats;Winter Road;Old Harbor;Silver Rain;Long Way Home;Quiet Street".split(";")
DISHES = "pancakes;tomato soup;apple pie;fried rice;potato salad;lentil stew".split(";")
CURRENCIES = "EUR USD GBP JPY CHF SEK".split()
LANGUAGES = "German French Spanish Italian Polish Dutch".split()
Args = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool: what it says of itself, how a request for it reads, and how its arguments are drawn."""

    name: str
    description: str
    properties: dict[str, Any]
    ask: str
    draw: Callable[[random.Random], Args]
    joined: str  # the request as a part of a sentence that asks for several things

    def declare(self) -> dict[str, Any]:
        schema = {"type": "object", "properties": self.properties, "required": list(self.properties)}
        return {"name": self.name, "description": self.description, "parameters": schema}


def text(about: str) -> dict[str, str]:
    return {"type": "string", "description": about}


def whole(about: str) -> dict[str, str]:
    return {"type": "integer", "description": about}


def number(about: str) -> dict[str, str]:
    return {"type": "number", "description": about}


def one_of(about: str, *words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words), "description": about}


def many(about: str, kind: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": kind}, "description": about}


TOOLS = (
    Tool("get_weather", "Get the current weather in a city", {"city": text("Name of the city")},
         "What is the weather in {city}?", lambda r: {"city": r.choice(CITIES)}, "tell me the weather in {city}"),
    Tool("get_local_time", "Get the current local time in a city", {"city": text("Name of the city")},
         "What time is it in {city} right now?", lambda r: {"city": r.choice(CITIES)}, "tell me what time it is in {city}"),
    Tool("set_timer", "Start a countdown timer", {"minutes": whole("Length in minutes")},
         "Set a timer for {minutes} minutes.", lambda r: {"minutes": r.randint(2, 90)}, "set a timer for {minutes} minutes"),
    Tool("send_message", "Send a text message to a person", {"recipient": text("Name of the person"), "body": text("The message, word for word")},
         'Send {recipient} this message: "{body}"',
         lambda r: {"recipient": r.choice(PEOPLE), "body": r.choice(("I am late", "See you at six", "The keys are in the box", "Dinner is ready", "Call me back"))},
         'send {recipient} the message "{body}"'),
    Tool("play_song", "Play a song by its title", {"title": text("Title of the song")},
         'Play the song "{title}".', lambda r: {"title": r.choice(SONGS)}, 'play the song "{title}"'),
    Tool("find_recipe", "Find a recipe for a dish", {"dish": text("Name of the dish"), "servings": whole("How many people it is for")},
         "Find a recipe for {dish} for {servings} people.", lambda r: {"dish": r.choice(DISHES), "servings": r.randint(2, 9)},
         "find a recipe for {dish} for {servings} people"),
    Tool("get_distance", "Get the distance between two cities", {"origin": text("City to start from"), "destination": text("City to go to")},
         "How far is it from {origin} to {destination}?", lambda r: dict(zip(("origin", "destination"), r.sample(CITIES, 2), strict=True)),
         "tell me how far it is from {origin} to {destination}"),
    Tool("create_reminder", "Create a reminder for a day", {"title": text("What to remember"), "date": text("The day as YYYY-MM-DD")},
         'Remind me on {date}. Title: "{title}"',
         lambda r: {"title": r.choice(("Water the plants", "Pay the rent", "Buy milk", "Feed the cat")), "date": f"2026-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"},
         'create the reminder "{title}" for {date}'),
    Tool("translate_word", "Translate an English word into another language", {"word": text("The English word"), "language": text("English name of the language")},
         'Translate the word "{word}" into {language}.',
         lambda r: {"word": r.choice(("bridge", "candle", "forest", "window", "garden")), "language": r.choice(LANGUAGES)},
         'translate the word "{word}" into {language}'),
)  # fmt: skip
TYPED = (
    Tool("set_thermostat", "Set the temperature of a room", {"room": one_of("The room", *ROOMS), "celsius": number("Temperature in degrees Celsius")},
         "Set the {room} to {celsius} degrees Celsius.", lambda r: {"room": r.choice(ROOMS), "celsius": r.randint(34, 48) / 2}, ""),
    Tool("switch_light", "Switch the light of a room on or off", {"room": one_of("The room", *ROOMS), "on": {"type": "boolean", "description": "True to switch it on"}},
         "Switch the light in the {room} {word}.", lambda r: {"room": r.choice(ROOMS), "on": r.random() < 0.5}, ""),
    Tool("add_numbers", "Add up a list of numbers", {"numbers": many("The numbers, in the order given", "integer")},
         "Add up these numbers with the tool, in this order: {listed}.", lambda r: {"numbers": r.sample(range(3, 99), r.randint(3, 5))}, ""),
    Tool("invite", "Invite people to a meeting", {"guests": many("Names, in the order given", "string"), "hour": whole("Hour of the day, 0 to 23")},
         "Invite {listed} (in this order) to a meeting at {hour} o'clock, on the 24-hour clock.",
         lambda r: {"guests": r.sample(PEOPLE, 3), "hour": r.randint(8, 18)}, ""),
    Tool("convert_currency", "Convert an amount of money", {"amount": number("The amount"), "source": one_of("Currency to convert from", *CURRENCIES), "target": one_of("Currency to convert to", *CURRENCIES)},
         "Convert {amount} {source} to {target}.",
         lambda r: {"amount": r.randint(101, 9999) / 100, **dict(zip(("source", "target"), r.sample(CURRENCIES, 2), strict=True))}, ""),
    Tool("book_table", "Book a table in a restaurant", {"guests": whole("How many people"), "outside": {"type": "boolean", "description": "True for a table outside"}, "meal": one_of("Which meal", "breakfast", "lunch", "dinner")},
         "Book a table {place} for {guests} people, for {meal}.",
         lambda r: {"guests": r.randint(2, 12), "outside": r.random() < 0.5, "meal": r.choice(("breakfast", "lunch", "dinner"))}, ""),
)  # fmt: skip
# Requests that none of the tools can serve.
UNRELATED = (
    "What is the chemical symbol of gold?", "Write a short poem about the sea.", "Who painted the Mona Lisa?", "Explain what a prime number is.",
    "Tell me a joke about a penguin.", "What is the plural of the word mouse?", "How are you today?", "Why is the sky blue?",
    "Which is larger, an elephant or a whale?", "Give me a synonym for happy.", "What does the word fragile mean?", "Name three colors.",
)  # fmt: skip


def item(id: str, skill: str, prompt: str, tools: list[Tool], calls: list[tuple[Tool, Args]]) -> dict[str, Any]:
    wanted = [{tool.name: {key: [value] for key, value in args.items()}} for tool, args in calls]
    return {"id": id, "skill": skill, "prompt": prompt, "tools": [tool.declare() for tool in tools], "calls": wanted}


def spoken(tool: Tool, args: Args) -> str:
    """Return the request for a tool of ``TYPED``, its values in words."""
    words = {key: f"{value:g}" if isinstance(value, float) else value for key, value in args.items()}
    lists = next((value for value in args.values() if isinstance(value, list)), [])
    return tool.ask.format(
        **words,
        word="on" if args.get("on") else "off",
        listed=", ".join(map(str, lists)),
        place="outside" if args.get("outside") else "inside",
    )


def items() -> list[dict[str, Any]]:
    """Return all items, no request twice."""
    rng, made = random.Random("tools"), list[dict[str, Any]]()
    for count in range(30):
        tool = TOOLS[count % len(TOOLS)]
        args = tool.draw(rng)
        made.append(item(f"simple-{count + 1:02d}", "simple", tool.ask.format(**args), [tool], [(tool, args)]))
    for count in range(30):
        tool = TOOLS[count % len(TOOLS)]
        args, offered = tool.draw(rng), [tool, *rng.sample([one for one in TOOLS if one is not tool], 3)]
        rng.shuffle(offered)
        made.append(item(f"multiple-{count + 1:02d}", "multiple", tool.ask.format(**args), offered, [(tool, args)]))
    for count in range(26):
        if count % 2:
            first, second = rng.sample(TOOLS, 2)
        else:
            first = second = TOOLS[count // 2 % len(TOOLS)]
        one, other = first.draw(rng), second.draw(rng)
        while first is second and (other == one or first.joined.format(**one) == first.joined.format(**other)):
            other = second.draw(rng)
        prompt = f"Please {first.joined.format(**one)}, and also {second.joined.format(**other)}."
        tools = [first] if first is second else [first, second]
        made.append(item(f"parallel-{count + 1:02d}", "parallel", prompt, tools, [(first, one), (second, other)]))
    for count in range(24):
        if count < len(UNRELATED):
            prompt, offered = UNRELATED[count], rng.sample(TOOLS[:-1], 2)  # none about words
        else:  # what another tool could do
            tool = TOOLS[count % len(TOOLS)]
            far = [one for one in TOOLS if one is not tool and not set(one.properties) & set(tool.properties)]
            far = [one for one in far if {one.name, tool.name} != {"set_timer", "create_reminder"}]
            prompt, offered = tool.ask.format(**tool.draw(rng)), rng.sample(far, 2)
        made.append(item(f"irrelevance-{count + 1:02d}", "irrelevance", prompt, offered, []))
    for count in range(30):
        tool = TYPED[count % len(TYPED)]
        args = tool.draw(rng)
        while any(spoken(tool, args) == one["prompt"] for one in made):
            args = tool.draw(rng)
        made.append(item(f"types-{count + 1:02d}", "types", spoken(tool, args), [tool], [(tool, args)]))
    return made


if __name__ == "__main__":
    (HERE / "items.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items()))
