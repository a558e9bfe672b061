"""JSON Schema, the part that suites need: a value against a schema, every fault in words.

Draft 2020-12's meaning of the keywords in ``KNOWN``. A schema that uses another is refused by ``require_known``: a
keyword that were passed over would let a wrong answer pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from pipeline.core import search

NOTES = ("title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions")
KNOWN = (
    "type", "enum", "const", "properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties",
    "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minLength", "maxLength", "pattern", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "anyOf", "oneOf", "allOf", "not", "$ref", *NOTES,
)  # fmt: skip
DEEPEST = 64
_Known = dict[tuple[str, int, int, frozenset[str]], list[str]]
_TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: (
        isinstance(v, int | float) and not isinstance(v, bool) and (isinstance(v, int) or v.is_integer())
    ),
}


def require_known(schema: Any, root: Any = None, at: str = "") -> None:
    """Raise ValueError for a schema that is none, or says what ``faults`` can't judge."""
    root = schema if root is None else root
    where = at or "the schema"
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{where} is no schema: an object, true or false")
    for key, value in schema.items():
        here = f"{at}/{key}"
        if key not in KNOWN:
            raise ValueError(f"{where}: the keyword {key!r} is not known")
        if key == "type":
            for name in value if isinstance(value, list) else [value]:
                if name not in _TYPES:
                    raise ValueError(f"{where}: no type {name!r}")
        elif key == "$ref":
            _resolve(value, root)
        elif key == "pattern":
            try:
                re.compile(value)
            except (re.error, TypeError) as error:
                raise ValueError(f"{here}: no regular expression: {error}") from None
        elif key in ("properties", "$defs", "definitions"):
            if not isinstance(value, dict):
                raise ValueError(f"{here} wants an object")
            for name, part in value.items():
                require_known(part, root, f"{here}/{name}")
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            if not isinstance(value, list) or not value:
                raise ValueError(f"{here} wants a list of schemas")
            for number, part in enumerate(value):
                require_known(part, root, f"{here}/{number}")
        elif key in ("items", "additionalProperties", "propertyNames", "contains", "not"):
            require_known(value, root, here)
        elif key == "required" and not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
            raise ValueError(f"{here} wants a list of names")
        elif key == "enum" and not isinstance(value, list):
            raise ValueError(f"{here} wants a list")
        elif key.startswith(("min", "max", "exclusive", "multipleOf")) and not _TYPES["number"](value):
            raise ValueError(f"{here} wants a number")
        elif key == "multipleOf" and value <= 0:
            raise ValueError(f"{here} wants a number above 0")


def faults(
    value: Any,
    schema: Any,
    root: Any = None,
    at: str = "$",
    depth: int = 0,
    following: frozenset[str] = frozenset(),
    known: _Known | None = None,
) -> Iterator[str]:
    """Yield what is wrong with a value, each fault with its place (``$.items[2]``). ``following`` are the references that
    led here from the same place: one that leads back to itself is fitted by nothing. ``known`` are the parts that were
    judged: without it, a schema of itself takes twice as long for each level of a value. Raises Unsearchable for a
    ``pattern`` that takes too long.
    """
    root = schema if root is None else root
    judged: _Known = {} if known is None else known
    if depth > DEEPEST:
        yield f"{at}: nested too deeply"
        return
    if isinstance(schema, bool):
        if not schema:
            yield f"{at}: nothing is allowed here"
        return

    def inner(part: Any, sub: Any, place: str) -> list[str]:
        before = following if place == at else frozenset()
        key = place, id(part), id(sub), before
        if key not in judged:
            judged[key] = list(faults(part, sub, root, place, depth + 1, before, judged))
        return judged[key]

    if (reference := schema.get("$ref")) is not None:
        if reference in following:
            yield f"{at}: $ref {reference!r} leads back to itself"
            return
        yield from faults(value, _resolve(reference, root), root, at, depth + 1, following | {reference}, judged)
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_TYPES[name](value) for name in names):
            yield f"{at}: {_shown(value)} is not of type {' or '.join(names)}"
            return
    if "const" in schema and not same(value, schema["const"]):
        yield f"{at}: {_shown(value)} is not {_shown(schema['const'])}"
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        yield f"{at}: {_shown(value)} is none of {', '.join(map(_shown, schema['enum']))}"
    if isinstance(value, dict):
        yield from _object(value, schema, at, inner)
    elif isinstance(value, list):
        yield from _array(value, schema, at, inner)
    elif isinstance(value, str):
        yield from _bounds(at, "characters", len(value), schema.get("minLength"), schema.get("maxLength"))
        if "pattern" in schema and not search.found(schema["pattern"], value):
            yield f"{at}: {_shown(value)} does not fit {schema['pattern']}"
    elif _TYPES["number"](value):
        yield from _number(value, schema, at)
    yield from _combined(value, schema, at, inner)


def _object(value: dict[str, Any], schema: dict[str, Any], at: str, inner: Any) -> Iterator[str]:
    yield from (f"{at}: {name!r} is missing" for name in schema.get("required", ()) if name not in value)
    yield from _bounds(at, "properties", len(value), schema.get("minProperties"), schema.get("maxProperties"))
    properties = schema.get("properties", {})
    for name, part in value.items():
        if "propertyNames" in schema:
            yield from inner(name, schema["propertyNames"], f"{at}: the name {name!r}")
        if name in properties:
            yield from inner(part, properties[name], f"{at}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{at}: {name!r} is not allowed"
        elif "additionalProperties" in schema:
            yield from inner(part, schema["additionalProperties"], f"{at}.{name}")


def _array(value: list[Any], schema: dict[str, Any], at: str, inner: Any) -> Iterator[str]:
    yield from _bounds(at, "items", len(value), schema.get("minItems"), schema.get("maxItems"))
    first = schema.get("prefixItems", [])
    for number, part in enumerate(value):
        if number < len(first):
            yield from inner(part, first[number], f"{at}[{number}]")
        elif "items" in schema:
            yield from inner(part, schema["items"], f"{at}[{number}]")
    if schema.get("uniqueItems") and any(same(a, b) for i, a in enumerate(value) for b in value[:i]):
        yield f"{at}: an item stands twice"
    if "contains" in schema and all(
        inner(part, schema["contains"], f"{at}[{number}]") for number, part in enumerate(value)
    ):
        yield f"{at}: no item is as wanted"


def _number(value: float, schema: dict[str, Any], at: str) -> Iterator[str]:
    yield from _bounds(at, "", value, schema.get("minimum"), schema.get("maximum"))
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{at}: {value} is not more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"{at}: {value} is not less than {schema['exclusiveMaximum']}"
    # As written, in decimals: 0.3 is three times 0.1, which it is not in binary.
    if "multipleOf" in schema and Fraction(str(value)) % Fraction(str(schema["multipleOf"])):
        yield f"{at}: {value} is no multiple of {schema['multipleOf']}"


def _combined(value: Any, schema: dict[str, Any], at: str, inner: Any) -> Iterator[str]:
    for part in schema.get("allOf", ()):
        yield from inner(value, part, at)
    if "anyOf" in schema and all(inner(value, part, at) for part in schema["anyOf"]):
        yield f"{at}: {_shown(value)} fits none of anyOf"
    if "oneOf" in schema and (count := sum(not inner(value, part, at) for part in schema["oneOf"])) != 1:
        yield f"{at}: {_shown(value)} fits {count} of oneOf"
    if "not" in schema and not inner(value, schema["not"], at):
        yield f"{at}: {_shown(value)} fits what it must not"


def same(a: Any, b: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def _bounds(at: str, unit: str, count: float, least: float | None, most: float | None) -> Iterator[str]:
    if least is not None and count < least:
        yield (
            f"{at}: {count:g}{' ' * bool(unit)}{unit}, at least {least:g} are wanted"
            if unit
            else f"{at}: {count} is less than {least}"
        )
    if most is not None and count > most:
        yield f"{at}: {count:g} {unit}, at most {most:g} are wanted" if unit else f"{at}: {count} is more than {most}"


def _resolve(reference: Any, root: Any) -> Any:
    """Return what ``#/…`` points to. Raises ValueError for a reference that leads nowhere, or out of the schema."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise ValueError(f"$ref {reference!r}: only places in the same schema (#/…) are known")
    found = root
    for part in filter(None, reference[1:].split("/")):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise ValueError(f"$ref {reference!r} leads nowhere")
        found = found[name]
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:58]}…"
