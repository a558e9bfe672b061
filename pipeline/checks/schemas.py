"""JSON Schema: whether one is sound, and what a value breaks of it. References lead nowhere outside the schema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.core import search

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_SHOWN = 160


def misfit(value: Any, schema: dict[str, Any]) -> str:
    """Return the first thing that ``value`` breaks, with its place; empty where it fits. A schema that can't be used is told as such.
    Raises Unsearchable for a pattern that takes too long.
    """
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = _bounded(validator_for(schema, default=Draft202012Validator))
    try:
        error = best_match(kind(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError) as fault:
        return f"the schema can't be used: {' '.join(str(fault).split())[:_SHOWN]}"
    if error is None:
        return ""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"{place.removeprefix('.') + ': ' if place else ''}{' '.join(error.message.split())[:_SHOWN]}"


def unsound(schema: dict[str, Any]) -> str:
    """Return what is wrong with a schema itself; empty where it is sound."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return " ".join(error.message.split())[:_SHOWN]
    return ""


@cache
def _bounded(kind: Any) -> Any:
    """Return a kind of validator that searches for patterns within bounds."""
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, wanted: str, value: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and not search.found(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    def pattern_properties(
        validator: Any, wanted: dict[str, Any], value: Any, schema: Any
    ) -> Iterator[ValidationError]:
        for regex, part in wanted.items() if isinstance(value, dict) else ():
            for name, one in value.items():
                if search.found(regex, name):
                    yield from validator.descend(one, part, path=name, schema_path=regex)

    return extend(kind, {"pattern": pattern, "patternProperties": pattern_properties})
