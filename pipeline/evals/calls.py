"""Whether tool calls are those wanted, by the rules of the Berkeley Function-Calling Leaderboard (Patil et al. 2025), in an
implementation of our own from their description and their behaviour.

A wanted call names, for each argument, a list of values that are accepted; an empty text in the list means that the argument
may be left out. Types are those of the tool's description:

- text: letter case, spaces and ``,./-_*^`` don't count, and ``'`` is ``"``; the same for texts in lists and mappings
- numbers: a whole number is taken for a ``float``, not within a list; true is no number
- lists: all values, in order; mappings: every key, each with a list of accepted values of its own
- where the accepted values are of another type than the description says, a value of their type is compared as it is

An argument that the description or the wanted call doesn't know is wrong. There must be as many calls as wanted, in any
order; where several fit, the assignment that fits all is sought.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.runtime.answer import Call

Accepted = Mapping[str, Sequence[Any]]
_TYPES: dict[str, type] = {
    "string": str, "integer": int, "float": float, "number": float, "boolean": bool, "array": list, "tuple": list, "dict": dict,
    "object": dict, "any": str,
}  # fmt: skip


def mismatch(calls: Sequence[Call], wanted: Sequence[tuple[str, Accepted]], tools: Mapping[str, Any]) -> str:
    """Say why calls are not those wanted; an empty text where they are. ``tools`` are the parameters of each tool, as a
    JSON schema, by name; ``wanted`` are (name, accepted values by argument)."""
    if len(calls) != len(wanted):
        return f"{_count(len(wanted))} wanted, {_count(len(calls))} came: {', '.join(map(str, calls)) or 'none'}"
    faults = [[_fault(call, name, accepted, tools[name]) for call in calls] for name, accepted in wanted]
    if _assign([[not fault for fault in row] for row in faults]):
        return ""
    for row, (name, _) in zip(faults, wanted, strict=True):
        if all(row):
            near = next((fault for fault, call in zip(row, calls, strict=True) if call.name == name), row[0])
            return near
    return "no two of the calls wanted may be met by one that came"


def _count(number: int) -> str:
    return f"{number} call{'' if number == 1 else 's'}"


def _assign(fits: list[list[bool]]) -> bool:
    """Tell whether each row can have a column of its own that fits (augmenting paths, after Kuhn 1955)."""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(fits)))


def _fault(call: Call, name: str, accepted: Accepted, parameters: Mapping[str, Any]) -> str:
    """Say why one call is not the wanted one, or nothing."""
    if call.name != name:
        return f"wanted {name}, got {call.name}"
    arguments = call.parsed()
    if arguments is None:
        return f"the arguments of {name} are no JSON object"
    described = parameters.get("properties", {})
    for key in parameters.get("required", ()):
        if key not in arguments:
            return f"{name}: the required argument {key} is missing"
    for key, value in arguments.items():
        if key not in described or key not in accepted:
            return (
                f"{name}: the argument {key} is not known" if key not in described else f"{name}: {key} is not wanted"
            )
        if not matches(value, accepted[key], described[key]):
            options = json.dumps(list(accepted[key]), ensure_ascii=False)
            return f"{name}: {key} is {json.dumps(value, ensure_ascii=False)}, accepted are {options}"
    for key, allowed in accepted.items():
        if key not in arguments and "" not in allowed:
            return f"{name}: the argument {key} is missing"
    return ""


def matches(value: Any, options: Sequence[Any], described: Mapping[str, Any]) -> bool:
    """Tell whether an argument's value is one of ``options``, under its description."""
    kind = _TYPES.get(str(described.get("type", "any")), str)
    inner = None
    if kind is list:
        inner = _TYPES.get(str((described.get("items") or {}).get("type", "any")), str)
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    of_options = next((type(option) for option in options if option != ""), None)
    same_kind: bool = type(value) is kind
    if not same_kind:
        return of_options is type(value) and any(value == option for option in options if type(option) is type(value))
    if inner is not None and not _items_are(value, options, inner):
        return False
    if of_options not in (None, kind):
        return any(type(option) is type(value) and value == option for option in options) or _equal_number(
            value, options
        )
    if kind is str:
        return standard(value) in [standard(option) for option in options if isinstance(option, str)]
    if kind is dict:
        return any(_mapping(value, option) for option in options if isinstance(option, dict))
    if kind is list and inner is dict:
        lists = [option for option in options if isinstance(option, list) and len(option) == len(value)]
        return any(all(map(_mapping, value, option)) for option in lists)
    if kind is list:
        return [standard(part) for part in value] in [
            [standard(part) for part in option] for option in options if isinstance(option, list)
        ]
    return any(value == option for option in options if option != "")


def _equal_number(value: Any, options: Sequence[Any]) -> bool:
    """A whole number among the options of a float is that float."""
    return isinstance(value, float) and any(value == option for option in options if type(option) in (int, float))


def _items_are(value: list[Any], options: Sequence[Any], inner: type) -> bool:
    """Tell whether a list's parts are of the type described, or of that which one of the accepted lists has."""
    if not value:
        return True
    for option in options:
        if not isinstance(option, list):
            return True
        of_option = next((type(part) for part in option if part != ""), None)
        if all(type(part) in (inner, of_option) for part in value):
            return True
    return False


def _mapping(value: Any, option: Any) -> bool:
    """Tell whether a mapping has the keys wanted, each with one of its accepted values."""
    if not isinstance(value, dict) or not isinstance(option, dict):
        return False
    for key, part in value.items():
        if key not in option or standard(part) not in [standard(one) for one in option[key]]:
            return False
    return all(key in value or "" in accepted for key, accepted in option.items())


def standard(value: Any) -> Any:
    """Return a text as it is compared; any other value as it is."""
    return re.sub(r"[ ,./\-_*^]", "", value).lower().replace("'", '"') if isinstance(value, str) else value
