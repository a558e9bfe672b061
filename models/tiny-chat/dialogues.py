"""The synthetic dialogues that tiny-chat is trained and scored on.

Everything is drawn from one seeded ``random.Random``. Names, words and numbers in the arguments of tool calls are made up afresh
for every dialogue, so that the only way to a right answer is to copy. ``HELD_OUT`` lists real names and cities that training never
sees; the score in the model card is taken on those.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Message = dict[str, Any]
Tool = dict[str, Any]

# -- words -------------------------------------------------------------------------------------------------------------

HELD_OUT_NAMES = (
    "Amara Bjorn Celeste Dmitri Esperanza Fiona Gustav Henrietta Ingrid Joaquin Katarina Leopold Marisol Nikolai Octavia Priya "
    "Quentin Rosalind Santiago Tatiana Ulrich Valentina Wilhelm Xavier Yolanda Zachary"
).split()
HELD_OUT_CITIES = (
    "Antwerp Bergen Cordoba Dresden Edinburgh Florence Gdansk Hamburg Innsbruck Jakarta Kigali Lucerne Marseille Nagoya Osaka "
    "Palermo Rotterdam Seville Tallinn Utrecht Valencia Wellington Yokohama Zagreb Bristol Denver"
).split()
_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kl kr pl pr qu sh sk sl sp st th tr vl zh".split()
_VOWELS = "a e i o u a e i o u ai ea ee ia io oa ou y".split()
_CODAS = ["", "", "", "", "l", "m", "n", "r", "s", "t", "k", "d", "ck", "ld", "nd", "ng", "rk", "rt", "st", "x"]
_RESERVED = {word.lower() for word in HELD_OUT_NAMES + HELD_OUT_CITIES}


def word(rng: random.Random) -> str:
    """Return a made-up lower-case word of one to four syllables that is not held out."""
    while True:
        syllables = rng.choice((1, 2, 2, 2, 3, 3, 4))
        made = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)) + rng.choice(_CODAS)
        if made[0] in "bcdfghjklmnprstvwz" and rng.random() < 0.15:
            made = made[1:]
        if len(made) > 2 and made not in _RESERVED:
            return made


def odd_word(rng: random.Random) -> str:
    """Return a word that no rule of syllables makes: pieces of the prose's words put together, or letters at random.

    What the tokenizer learnt from the prose stands nowhere else in a made-up name, and is met in real ones: the "gh" of Edinburgh.
    """
    while True:
        pieces = [word(rng)] if rng.random() < 0.3 else []
        for _ in range(rng.randint(1, 3)):
            known = rng.choice(prose_words())
            first, size = rng.randint(0, len(known) - 1), rng.randint(1, 5)
            pieces.append(known[first : first + size] if rng.random() < 0.8 else rng.choice(string.ascii_lowercase))
        rng.shuffle(pieces)
        made = "".join(pieces).lower()
        if len(made) > 2 and made not in _RESERVED:
            return made


@cache
def prose_words() -> list[str]:
    """Return every word that is not made up, in the order of the alphabet."""
    texts = [text for kind in (*KINDS, *COMPOSED) for text in (kind.description, kind.reply, *kind.names)]
    texts += [text for known in FACTS for text in (known.sentence, *known.questions)]
    texts += [text for asks, reply in SMALL_TALK for text in (*asks, reply)]
    return sorted({found for text in texts for found in re.findall(r"[A-Za-z]{3,}", text)})


_COMMON = (
    "red blue green old new big small fast slow cheap good best quiet garden river train book music dinner meeting report ticket "
    "coffee tea bread cheese soup bike car phone laptop camera shoes jacket lunch party budget plan lesson game movie news price "
    "team doctor dentist flight hotel beach mountain winter summer monday friday tonight tomorrow late early ready done"
).split()
_LANGUAGES = "French German Spanish Italian Polish Dutch Greek Turkish Swedish Finnish".split()
_CURRENCIES = "EUR USD GBP JPY CHF SEK NOK PLN".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_CONDITIONS = "sunny cloudy rainy windy snowy foggy clear stormy".split()
_ROOMS = "kitchen bedroom bathroom hallway office garage cellar attic".split()


@dataclass
class Words:
    """Where arguments come from: made-up words for training, held-out ones for scoring."""

    rng: random.Random
    held_out: bool = False
    refine: bool = False  # odd spellings too, near misses among the tools, letters to be matched
    repeat: bool = False  # words that come twice, which only counting tells apart

    def word(self) -> str:
        """Return a made-up lower-case word."""
        return odd_word(self.rng) if self.refine and self.rng.random() < 0.5 else word(self.rng)

    def city(self) -> str:
        return self.rng.choice(HELD_OUT_CITIES) if self.held_out else self.word().capitalize()

    def person(self) -> str:
        return self.rng.choice(HELD_OUT_NAMES) if self.held_out else self.word().capitalize()

    def text(self) -> str:
        """Return one to four words, made up and common mixed: a message, a query or a title."""
        rng = self.rng
        words = [rng.choice(_COMMON) if rng.random() < 0.6 else self.word() for _ in range(rng.randint(1, 4))]
        if self.repeat and rng.random() < 0.3:
            for _ in range(rng.randint(1, 2)):
                words.insert(rng.randint(0, len(words)), rng.choice(words))
        return " ".join(words)

    def number(self) -> int:
        """One to five digits. A number whose digits sum to a multiple of seven is held out of training."""
        while True:
            digits = self.rng.choice((1, 2, 2, 3, 3, 4, 5))
            number = self.rng.randint(10 ** (digits - 1), 10**digits - 1)
            if (sum(map(int, str(number))) % 7 == 0) == self.held_out:
                return number


# -- tools -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One kind of tool: its names, what it says of itself, its parameters, how people ask for it, what it answers."""

    names: tuple[str, ...]
    description: str
    parameters: dict[str, str]  # name -> JSON type, or "a|b|c" for an enumeration
    asks: tuple[str, ...]
    draw: Callable[[Words], dict[str, Any]]
    result: Callable[[Words, dict[str, Any]], dict[str, Any]]
    reply: str
    part: str  # the request as part of a sentence that asks for two things

    def declare(self, tool_name: str, rng: random.Random) -> Tool:
        properties: dict[str, Any] = {}
        for key, kind in self.parameters.items():
            properties[key] = {"type": "string", "enum": kind.split("|")} if "|" in kind else {"type": kind}
            if rng.random() < 0.15:
                properties[key]["description"] = "The " + key.replace("_", " ")
        parameters = {"type": "object", "properties": properties}
        if rng.random() < 0.85:
            parameters["required"] = list(self.parameters)
        function: dict[str, Any] = {"name": tool_name, "description": self.description, "parameters": parameters}
        if rng.random() < 0.05:
            del function["description"]
        return {"type": "function", "function": function}


def _ok(words: Words, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"status": "ok"}


KINDS: tuple[Kind, ...] = (
    Kind(
        ("get_weather", "weather", "current_weather"),
        "Get the current weather in a city",
        {"city": "string"},
        (
            "What is the weather in {city}?",
            "What's the weather like in {city}?",
            "How is the weather in {city}?",
            "Weather in {city}?",
            "Tell me the weather in {city}.",
            "Is it raining in {city}?",
            "How warm is it in {city} right now?",
            "Give me the current weather for {city}.",
        ),
        lambda w: {"city": w.city()},
        lambda w, a: {"temperature": w.number() % 100, "condition": w.rng.choice(_CONDITIONS)},
        "It is {temperature} degrees and {condition} in {city}.",
        "get the weather in {city}",
    ),
    Kind(
        ("get_time", "current_time", "clock"),
        "Get the local time in a city",
        {"city": "string"},
        (
            "What time is it in {city}?",
            "What is the time in {city}?",
            "Tell me the time in {city}.",
            "Current time in {city}?",
            "How late is it in {city}?",
        ),
        lambda w: {"city": w.city()},
        lambda w, a: {"time": f"{w.rng.randint(0, 23):02d}:{w.rng.randint(0, 59):02d}"},
        "It is {time} in {city}.",
        "get the time in {city}",
    ),
    Kind(
        ("send_message", "send_text", "text_message"),
        "Send a text message to a person",
        {"recipient": "string", "text": "string"},
        (
            "Send {recipient} a message: {text}",
            "Text {recipient}: {text}",
            "Write to {recipient}: {text}",
            "Message {recipient} this: {text}",
            "Send a message to {recipient}: {text}",
        ),
        lambda w: {"recipient": w.person(), "text": w.text()},
        _ok,
        "I sent your message to {recipient}.",
        "text {recipient}: {text}",
    ),
    Kind(
        ("set_timer", "start_timer"),
        "Start a timer",
        {"minutes": "integer"},
        (
            "Set a timer for {minutes} minutes.",
            "Start a {minutes} minute timer.",
            "Timer for {minutes} minutes, please.",
            "Remind me in {minutes} minutes.",
        ),
        lambda w: {"minutes": w.number()},
        _ok,
        "Your timer for {minutes} minutes is running.",
        "set a timer for {minutes} minutes",
    ),
    Kind(
        ("add_numbers", "add", "sum"),
        "Add two numbers",
        {"a": "integer", "b": "integer"},
        (
            "Add {a} and {b}.",
            "Use the tool to add {a} and {b}.",
            "What do you get if you add {a} and {b}?",
            "Sum up {a} and {b}.",
        ),
        lambda w: {"a": w.number(), "b": w.number()},
        lambda w, a: {"result": a["a"] + a["b"]},
        "The result is {result}.",
        "add {a} and {b}",
    ),
    Kind(
        ("multiply", "multiply_numbers", "product"),
        "Multiply two numbers",
        {"a": "integer", "b": "integer"},
        (
            "Multiply {a} by {b}.",
            "Multiply {a} and {b}.",
            "What is the product of {a} and {b}?",
            "Use the tool to multiply {a} by {b}.",
        ),
        lambda w: {"a": w.number(), "b": w.number()},
        lambda w, a: {"result": a["a"] * a["b"]},
        "The result is {result}.",
        "multiply {a} by {b}",
    ),
    Kind(
        ("search_web", "web_search", "search"),
        "Search the web",
        {"query": "string"},
        (
            "Search the web for {query}",
            "Look up {query} online",
            "Search for {query}",
            "Find something on the web about {query}",
            "Google {query}",
        ),
        lambda w: {"query": w.text()},
        lambda w, a: {"hits": w.number()},
        "I found {hits} results for {query}.",
        "search the web for {query}",
    ),
    Kind(
        ("translate", "translate_text"),
        "Translate a text into a language",
        {"text": "string", "language": "string"},
        (
            "Translate {text} into {language}.",
            "How do you say {text} in {language}?",
            "Put {text} into {language}.",
            "I need {text} in {language}.",
        ),
        lambda w: {"text": w.text(), "language": w.rng.choice(_LANGUAGES)},
        lambda w, a: {"translation": word(w.rng)},
        "In {language} it is {translation}.",
        "translate {text} into {language}",
    ),
    Kind(
        ("play_music", "play_artist"),
        "Play music by an artist",
        {"artist": "string"},
        (
            "Play something by {artist}.",
            "Play music by {artist}.",
            "I want to hear {artist}.",
            "Put on some {artist}.",
            "Play {artist}, please.",
        ),
        lambda w: {"artist": w.person()},
        _ok,
        "Now playing {artist}.",
        "play music by {artist}",
    ),
    Kind(
        ("get_stock_price", "stock_price", "quote"),
        "Get the price of a stock",
        {"symbol": "string"},
        (
            "What is the stock price of {symbol}?",
            "How much is {symbol} stock?",
            "Stock price of {symbol}?",
            "Give me a quote for {symbol}.",
        ),
        lambda w: {"symbol": "".join(w.rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(w.rng.randint(3, 4)))},
        lambda w, a: {"price": w.number()},
        "{symbol} is at {price}.",
        "get the stock price of {symbol}",
    ),
    Kind(
        ("create_event", "add_event", "schedule_event"),
        "Create an event in the calendar",
        {"title": "string", "day": "string"},
        (
            "Put {title} in my calendar for {day}.",
            "Create an event {title} on {day}.",
            "Schedule {title} for {day}.",
            "Add {title} to my calendar on {day}.",
        ),
        lambda w: {"title": w.text(), "day": w.rng.choice(_DAYS)},
        _ok,
        "{title} is in your calendar for {day}.",
        "schedule {title} for {day}",
    ),
    Kind(
        ("convert_currency", "exchange"),
        "Convert an amount of money",
        {"amount": "integer", "source": "string", "target": "string"},
        (
            "Convert {amount} {source} to {target}.",
            "How much is {amount} {source} in {target}?",
            "Change {amount} {source} into {target}.",
            "What are {amount} {source} worth in {target}?",
        ),
        lambda w: dict(zip(("amount", "source", "target"), (w.number(), *w.rng.sample(_CURRENCIES, 2)), strict=True)),
        lambda w, a: {"value": w.number()},
        "{amount} {source} are {value} {target}.",
        "convert {amount} {source} to {target}",
    ),
    Kind(
        ("get_distance", "distance"),
        "Get the distance between two cities",
        {"origin": "string", "destination": "string"},
        (
            "How far is it from {origin} to {destination}?",
            "What is the distance from {origin} to {destination}?",
            "Distance between {origin} and {destination}?",
            "How many kilometers from {origin} to {destination}?",
        ),
        lambda w: {"origin": w.city(), "destination": w.city()},
        lambda w, a: {"kilometers": w.number()},
        "It is {kilometers} kilometers from {origin} to {destination}.",
        "get the distance from {origin} to {destination}",
    ),
    Kind(
        ("set_light", "switch_light", "light"),
        "Turn the light in a room on or off",
        {"room": "string", "state": "on|off"},
        (
            "Turn {state} the light in the {room}.",
            "Turn the {room} light {state}.",
            "Switch {state} the light in the {room}.",
            "Light {state} in the {room}!",
        ),
        lambda w: {"room": w.rng.choice(_ROOMS), "state": w.rng.choice(("on", "off"))},
        _ok,
        "The light in the {room} is {state}.",
        "turn {state} the light in the {room}",
    ),
    Kind(
        ("find_recipe", "recipe"),
        "Find a recipe for a dish",
        {"dish": "string"},
        (
            "Find a recipe for {dish}.",
            "How do I cook {dish}?",
            "I want to cook {dish}.",
            "Recipe for {dish}?",
            "Give me a recipe for {dish}.",
        ),
        lambda w: {"dish": w.text()},
        lambda w, a: {"minutes": w.number(), "servings": w.rng.randint(1, 9)},
        "The recipe for {dish} takes {minutes} minutes and serves {servings}.",
        "find a recipe for {dish}",
    ),
    Kind(
        ("call_contact", "phone_call", "dial"),
        "Call a person on the phone",
        {"person": "string"},
        (
            "Call {person}.",
            "Please call {person}.",
            "Phone {person}.",
            "Can you call {person} for me?",
            "I need to talk to {person} on the phone.",
        ),
        lambda w: {"person": w.person()},
        _ok,
        "I am calling {person}.",
        "call {person}",
    ),
    Kind(
        ("order_item", "buy", "place_order"),
        "Order something in the shop",
        {"item": "string", "quantity": "integer"},
        (
            "Order {quantity} {item}.",
            "Buy {quantity} {item}, please.",
            "I want to order {quantity} {item}.",
            "Get me {quantity} {item} from the shop.",
        ),
        lambda w: {"item": w.text(), "quantity": w.number()},
        lambda w, a: {"order": w.number()},
        "Your order {order} is on its way.",
        "order {quantity} {item}",
    ),
    Kind(
        ("book_table", "reserve_table"),
        "Book a table at a restaurant",
        {"restaurant": "string", "people": "integer"},
        (
            "Book a table for {people} at {restaurant}.",
            "Reserve a table at {restaurant} for {people} people.",
            "I need a table for {people} at {restaurant}.",
        ),
        lambda w: {"restaurant": w.person(), "people": w.number()},
        _ok,
        "Your table for {people} at {restaurant} is booked.",
        "book a table for {people} at {restaurant}",
    ),
    Kind(
        ("get_population", "population"),
        "Get the number of people living in a city",
        {"city": "string"},
        (
            "How many people live in {city}?",
            "What is the population of {city}?",
            "Population of {city}?",
            "How big is the population of {city}?",
        ),
        lambda w: {"city": w.city()},
        lambda w, a: {"population": w.number()},
        "{population} people live in {city}.",
        "get the population of {city}",
    ),
    Kind(
        ("lookup_user", "get_user", "find_user"),
        "Look up a user by number",
        {"user_id": "integer"},
        (
            "Who is user {user_id}?",
            "Look up user {user_id}.",
            "Find the user with number {user_id}.",
            "Show me user {user_id}.",
        ),
        lambda w: {"user_id": w.number()},
        lambda w, a: {"name": w.person()},
        "User {user_id} is {name}.",
        "look up user {user_id}",
    ),
)

_VERBS = "open close delete update archive print share check start stop copy rename review approve".split()
_NOUNS = "invoice ticket report file server project task account contract job folder device page".split()


def composed(verb: str, noun: str) -> Kind:
    """Return the tool ``verb_noun``, for instance ``close_ticket``: so that a tool is chosen by its name, not by habit."""
    return Kind(
        (f"{verb}_{noun}",),
        f"{verb.capitalize()} a {noun}",
        {"name": "string"},
        (
            f"{verb.capitalize()} the {noun} {{name}}.",
            f"Please {verb} the {noun} {{name}}.",
            f"Can you {verb} the {noun} {{name}}?",
            f"I want you to {verb} the {noun} {{name}}.",
        ),
        lambda w: {"name": w.person()},
        _ok,
        f"Done: the {noun} {{name}}.",
        f"{verb} the {noun} {{name}}",
    )


COMPOSED = tuple(composed(verb, noun) for verb in _VERBS for noun in _NOUNS)

# -- things it knows ---------------------------------------------------------------------------------------------------

CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Germany": "Berlin",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Norway": "Oslo",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "Austria": "Vienna",
    "Poland": "Warsaw",
    "Ireland": "Dublin",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Kenya": "Nairobi",
    "China": "Beijing",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Hungary": "Budapest",
    "Russia": "Moscow",
}
ANIMALS = {
    "cow": "moo",
    "dog": "woof",
    "cat": "meow",
    "duck": "quack",
    "sheep": "baa",
    "pig": "oink",
    "lion": "roar",
    "bee": "buzz",
    "snake": "hiss",
    "owl": "hoot",
    "frog": "croak",
    "crow": "caw",
}
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "fast": "slow",
    "old": "young",
    "light": "dark",
    "happy": "sad",
    "open": "closed",
    "early": "late",
    "full": "empty",
    "hard": "soft",
    "high": "low",
    "long": "short",
    "loud": "quiet",
    "rich": "poor",
    "strong": "weak",
    "wet": "dry",
    "up": "down",
    "left": "right",
    "day": "night",
    "good": "bad",
}
COLORS = {
    "grass": "green",
    "sky": "blue",
    "snow": "white",
    "blood": "red",
    "coal": "black",
    "lemon": "yellow",
    "banana": "yellow",
    "carrot": "orange",
    "milk": "white",
    "tomato": "red",
    "chocolate": "brown",
    "frog": "green",
}
NUMBERS = "zero one two three four five six seven eight nine ten".split()
MONTHS = "January February March April May June July August September October November December".split()
LEGS = {"dog": 4, "cat": 4, "spider": 8, "bird": 2, "horse": 4, "ant": 6, "bee": 6, "duck": 2, "cow": 4, "human": 2}


@dataclass(frozen=True)
class Fact:
    """A question of the closed set, its answer as a sentence, the bare answer, and wrong answers of the same kind."""

    questions: tuple[str, ...]
    sentence: str
    answer: str
    others: tuple[str, ...]


def _facts() -> tuple[Fact, ...]:
    facts = []
    for country, city in CAPITALS.items():
        asks = (
            f"What is the capital of {country}?",
            f"Which city is the capital of {country}?",
            f"Name the capital of {country}.",
        )
        facts.append(
            Fact(asks, f"The capital of {country} is {city}.", city, tuple(c for c in CAPITALS.values() if c != city))
        )
    for animal, sound in ANIMALS.items():
        asks = (f"What sound does a {animal} make?", f"What does a {animal} say?")
        facts.append(Fact(asks, f"A {animal} says {sound}.", sound, tuple(s for s in ANIMALS.values() if s != sound)))
    pairs = list(OPPOSITES.items()) + [(b, a) for a, b in OPPOSITES.items()]
    for one, other in pairs:
        asks = (f"What is the opposite of {one}?", f"Opposite of {one}?")
        others = tuple(o for pair in OPPOSITES.items() for o in pair if o not in (one, other))
        facts.append(Fact(asks, f"The opposite of {one} is {other}.", other, others))
    for thing, color in COLORS.items():
        asks = (f"What color is {thing}?", f"Which color does {thing} have?")
        facts.append(
            Fact(asks, f"The color of {thing} is {color}.", color, tuple(sorted(set(COLORS.values()) - {color})))
        )
    for sequence, noun in ((_DAYS, "day"), (MONTHS, "month")):
        for i, item in enumerate(sequence):
            after = sequence[(i + 1) % len(sequence)]
            asks = (f"Which {noun} comes after {item}?", f"What {noun} follows {item}?")
            facts.append(
                Fact(asks, f"After {item} comes {after}.", after, tuple(s for s in sequence if s not in (after, item)))
            )
    for animal, legs in LEGS.items():
        asks = (f"How many legs does a {animal} have?",)
        facts.append(
            Fact(
                asks,
                f"A {animal} has {NUMBERS[legs]} legs.",
                NUMBERS[legs],
                tuple(n for n in ("two", "four", "six", "eight") if n != NUMBERS[legs]),
            )
        )
    return tuple(facts)


FACTS = _facts()
SMALL_TALK: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Hello!", "Hi!", "Hey there.", "Good day!", "Hello", "Hi"), "Hello! How can I help you?"),
    (("How are you?", "How do you do?", "How are you today?", "Are you well?"), "I am fine, thank you. And you?"),
    (("Who are you?", "What are you?", "Tell me about yourself."), "I am tiny-chat, a very small language model."),
    (
        ("What can you do?", "How can you help me?", "What are you good at?"),
        "I can chat a little, answer simple questions and call tools.",
    ),
    (("Thank you!", "Thanks!", "Thanks a lot.", "Thank you very much."), "You are welcome!"),
    (("Goodbye!", "Bye!", "See you later.", "Good night!"), "Goodbye! Have a nice day."),
    (("Tell me a joke.", "Make me laugh.", "Do you know a joke?"), "Why did the model stop? It met its end token."),
    (("Are you a human?", "Are you a robot?", "Are you real?"), "No, I am a small program that predicts tokens."),
    (("I am sad.", "I feel bad today.", "I am not happy."), "I am sorry to hear that. I hope it gets better soon."),
    (("I am happy.", "I feel great today!", "It is a nice day."), "That is good to hear!"),
    (("Say OK.", "Just say OK.", "Please say OK."), "OK"),
    (("Yes.", "Yes, please.", "Sure."), "Good. What shall I do?"),
    (("No.", "No, thanks.", "No, thank you."), "All right."),
    (("Good morning!", "Good morning", "Good morning to you."), "Good morning! How can I help you?"),
)
NO_TOOL = "I have no tool for that."

# -- dialogues ---------------------------------------------------------------------------------------------------------


@dataclass
class Dialogue:
    """A conversation to learn from: messages, the tools declared, and what kind it is."""

    messages: list[Message]
    tools: list[Tool] = field(default_factory=list)
    kind: str = ""


def _say(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _call(tool_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool_name, "arguments": arguments}}


def _kind(rng: random.Random) -> Kind:
    return rng.choice(COMPOSED) if rng.random() < 0.25 else rng.choice(KINDS)


def _near_miss(rng: random.Random, kind: Kind) -> Kind:
    """Return a tool that ``kind`` might be taken for: the same verb, noun or parameters."""
    if kind in COMPOSED:
        verb, noun = kind.names[0].split("_")
        near = [other for other in COMPOSED if (verb in other.names[0]) != (noun in other.names[0])]
        return rng.choice(near if rng.random() < 0.7 else COMPOSED)
    shared = [other for other in KINDS if other is not kind and set(other.parameters) & set(kind.parameters)]
    return rng.choice(shared or KINDS)


def _offer(rng: random.Random, wanted: list[Kind], size: int) -> tuple[list[Tool], list[str]]:
    """Declare ``wanted`` among others, ``size`` at least, in any order; return the tools and the wanted ones' names."""
    kinds = list(wanted)
    if wanted and wanted[0] in COMPOSED:  # near misses: the same verb, or the same noun
        verb, noun = wanted[0].names[0].split("_")
        kinds += [composed(verb, n) for n in rng.sample(_NOUNS, 1) if n != noun] + [
            composed(v, noun) for v in rng.sample(_VERBS, 1) if v != verb
        ]
        kinds = kinds[: max(size, len(wanted))]
    while len(kinds) < size:
        extra = _kind(rng)
        if all(not set(extra.names) & set(kind.names) for kind in kinds):
            kinds.append(extra)
    names = [rng.choice(kind.names) if rng.random() < 0.5 else kind.names[0] for kind in kinds]
    tools = [kind.declare(tool_name, rng) for kind, tool_name in zip(kinds, names, strict=True)]
    rng.shuffle(tools)
    return tools, names[: len(wanted)]


def _size(rng: random.Random) -> int:
    return rng.choice((1, 1, 2, 2, 3, 3, 4))


def _ask(rng: random.Random, kind: Kind, arguments: dict[str, Any]) -> str:
    return rng.choice(kind.asks).format(**arguments)


def single_call(words: Words, with_result: bool | None = None) -> Dialogue:
    rng, kind = words.rng, _kind(words.rng)
    tools, (tool_name,) = _offer(rng, [kind], _size(rng))
    arguments = kind.draw(words)
    messages = [
        _say("user", _ask(rng, kind, arguments)),
        {**_say("assistant", ""), "tool_calls": [_call(tool_name, arguments)]},
    ]
    if rng.random() < 0.4 if with_result is None else with_result:
        result = kind.result(words, arguments)
        messages += [_say("tool", json.dumps(result)), _say("assistant", kind.reply.format(**arguments, **result))]
    return Dialogue(messages, tools, "single_call")


def parallel_calls(words: Words) -> Dialogue:
    rng = words.rng
    if rng.random() < 0.5:  # the same tool twice
        kind = rng.choice(
            [
                k
                for k in KINDS
                if k.names[0]
                in ("get_weather", "get_time", "get_population", "get_stock_price", "call_contact", "play_music")
            ]
        )
        tools, (tool_name,) = _offer(rng, [kind], _size(rng))
        one, two = kind.draw(words), kind.draw(words)
        (key,) = kind.parameters
        ask = rng.choice(kind.asks).format(**{key: f"{one[key]} and {two[key]}"})
        calls = [_call(tool_name, one), _call(tool_name, two)]
    else:
        first, second = _kind(rng), _kind(rng)
        while set(first.names) & set(second.names):
            second = _kind(rng)
        tools, names = _offer(rng, [first, second], rng.choice((2, 2, 3, 4)))
        one, two = first.draw(words), second.draw(words)
        joined = f"{first.part.format(**one)} and {second.part.format(**two)}"
        ask = rng.choice(("Please {}.", "I want you to {}.", "Can you {}?", "{}.")).format(joined)
        ask = ask[0].upper() + ask[1:]
        calls = [_call(names[0], one), _call(names[1], two)]
    return Dialogue([_say("user", ask), {**_say("assistant", ""), "tool_calls": calls}], tools, "parallel_calls")


def no_tool_fits(words: Words) -> Dialogue:
    rng, kind = words.rng, _kind(words.rng)
    tools: list[Tool] = []
    while not tools:
        near = [_near_miss(rng, kind)] if words.refine and rng.random() < 0.6 else []
        others, _ = _offer(rng, near, _size(rng))
        if all(
            tool["function"]["name"] not in kind.names and tool["function"]["name"] != kind.names[0] for tool in others
        ):
            tools = others
    return Dialogue(
        [_say("user", _ask(rng, kind, kind.draw(words))), _say("assistant", NO_TOOL)], tools, "no_tool_fits"
    )


def small_talk(words: Words) -> Dialogue:
    asks, reply = words.rng.choice(SMALL_TALK)
    return Dialogue([_say("user", words.rng.choice(asks)), _say("assistant", reply)], [], "small_talk")


def fact(words: Words) -> Dialogue:
    known = words.rng.choice(FACTS)
    return Dialogue([_say("user", words.rng.choice(known.questions)), _say("assistant", known.sentence)], [], "fact")


def one_letter(words: Words) -> Dialogue:
    rng, known = words.rng, words.rng.choice(FACTS)
    options = [known.answer, *rng.sample(known.others, 3)]
    rng.shuffle(options)
    listed = "\n".join(f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True))
    question = known.questions[0]
    if words.refine and rng.random() < 0.5:  # to find a given answer's letter is half of the task
        question = f"Which of these is {known.answer}?"
    ask = f"{question}\n{listed}\nAnswer with one letter."
    return Dialogue([_say("user", ask), _say("assistant", "ABCD"[options.index(known.answer)])], [], "one_letter")


def copying(words: Words) -> Dialogue:
    rng = words.rng
    made = " ".join(
        str(words.number()) if rng.random() < 0.2 else (words.person() if rng.random() < 0.5 else words.word())
        for _ in range(rng.randint(1, 6))
    )
    ask = rng.choice(("Repeat: {}", "Say exactly this: {}", "Copy this text: {}", "Write {}"))
    return Dialogue([_say("user", ask.format(made)), _say("assistant", made)], [], "copying")


def arithmetic(words: Words) -> Dialogue:
    rng = words.rng
    a, b = rng.randint(0, 50), rng.randint(0, 50)
    if rng.random() < 0.5:
        ask, answer = f"{a} + {b}", a + b
    else:
        a, b = max(a, b), min(a, b)
        ask, answer = f"{a} - {b}", a - b
    form = rng.choice(("What is {}?", "Compute {}.", "How much is {}?", "{} ="))
    return Dialogue([_say("user", form.format(ask)), _say("assistant", str(answer))], [], "arithmetic")


def persona(words: Words) -> Dialogue:
    rng, who = words.rng, words.person()
    system = rng.choice(("You are {}.", "Your name is {}.", "You are {}, a helpful assistant.")).format(who)
    ask = rng.choice(("What is your name?", "Who are you?", "How are you called?", "Tell me your name."))
    return Dialogue([_say("system", system), _say("user", ask), _say("assistant", f"My name is {who}.")], [], "persona")


# How often each kind of main turn is drawn at each stage: practising to copy and to call; deciding; refining what was still wrong; and
# what was wrong then.
_TURNS: tuple[tuple[Callable[[Words], Dialogue], tuple[float, float, float, float]], ...] = (
    (single_call, (30, 26, 24, 30)),
    (parallel_calls, (14, 15, 20, 26)),
    (no_tool_fits, (12, 22, 22, 18)),
    (copying, (12, 8, 8, 8)),
    (small_talk, (7, 5, 3, 2)),
    (fact, (12, 8, 5, 4)),
    (one_letter, (8, 12, 10, 4)),
    (arithmetic, (8, 10, 5, 6)),
    (persona, (5, 5, 3, 2)),
)
PRACTISE, DECIDE, REFINE, FINISH = range(4)
_SYSTEMS = (
    "You are a helpful assistant.",
    "You are tiny-chat.",
    "Answer briefly.",
    "Be friendly.",
    "You are a helpful assistant that can use tools.",
)


def dialogue(rng: random.Random, stage: int) -> Dialogue:
    """Return a training dialogue: one main turn, often plain turns around it, sometimes tools that nobody needs."""
    words = Words(rng, refine=stage >= REFINE, repeat=stage == FINISH)
    main = rng.choices([make for make, _ in _TURNS], [shares[stage] for _, shares in _TURNS])[0](words)
    messages, tools = list(main.messages), main.tools
    plain = (small_talk, fact, copying, arithmetic)
    system = messages.pop(0) if messages[0]["role"] == "system" else None
    if not tools and main.kind != "copying" and rng.random() < 0.3:
        tools, _ = _offer(rng, [], _size(rng))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        messages = (
            [*rng.choice(plain)(words).messages, *messages]
            if rng.random() < 0.5
            else [*messages, *rng.choice(plain)(words).messages]
        )
    if system is None and rng.random() < 0.25:
        system = _say("system", rng.choice(_SYSTEMS))
    return Dialogue(([system] if system else []) + messages, tools, main.kind)


def tokenizer_text(rng: random.Random) -> str:
    """Return a dialogue's prose for training the tokenizer: made-up words left out, so that they split alike everywhere."""
    made = dialogue(rng, PRACTISE)
    kinds = [rng.choice(KINDS) for _ in range(2)]
    blank = {key: "" for kind in kinds for key in kind.parameters}
    prose = [rng.choice(kind.asks).format(**blank) for kind in kinds] + [kind.part.format(**blank) for kind in kinds]
    prose += [kind.reply.format_map(_Blank()) for kind in kinds]
    known = rng.choice(FACTS)
    talk = rng.choice(SMALL_TALK)
    declared = "\n".join(json.dumps(tool["function"]) for tool in made.tools)
    return "\n".join(
        [
            *prose,
            *known.questions,
            known.sentence,
            *talk[0],
            talk[1],
            declared,
            rng.choice(_SYSTEMS),
            " ".join(rng.sample(_COMMON, 6)),
            "system\nuser\nassistant\ntool\n# Tools\nCall a tool like this:\nAnswer with one letter. Repeat: Say exactly this: Copy this text: Write What is your name? My name is You are a helpful assistant "
            + NO_TOOL,
        ]
    )


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
