"""What a model says against a document, for people: where, what is wrong, and what to write instead."""

from __future__ import annotations

import difflib
import re
import typing
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pipeline.core.errors import Problem
from pipeline.spec import yaml
from pipeline.spec.parts import NAME, SHA256

_SHOWN = 80
_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{1,40})?")


def told(document: yaml.Document, model: type[BaseModel], error: ErrorDetails) -> Problem:
    """Return one of pydantic's errors as a problem at its place in the document."""
    path = tuple(part for part in error["loc"])
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    key = _label(path)
    if kind == "extra_forbidden":
        known = _fields(model, path[:-1])
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return document.problem(path, f"unknown key {key!r}", hint, at_key=True)
    if kind == "missing":
        return document.problem(path[:-1], f"key {key!r} is missing", f"add {key}: …")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        hint = f"leave {key} out, or indent its keys below it" if value is None else ""
        return document.problem(path, f"{key or 'the file'} wants keys and values, not {_kind(value)}", hint)
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        choices = [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        return document.problem(path, f"{key} must be {expected}, not {_show(value)}", hint)
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        said = f"{key}: {_show(value)} does not fit the pattern {pattern}"
        return document.problem(path, said, _PATTERNS.get(pattern, ""))
    wanted = _WANTED.get(kind)
    if wanted:
        written = document.written.get(path, value)
        return document.problem(
            path, f"{key} wants {wanted}, not {_given(value, written)}", _hint(kind, value, written)
        )
    if kind == "string_too_short" and not value:
        return document.problem(path, f"{key} is empty")
    said = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    got = f", not {_cut(str(document.written.get(path, value)))}" if kind in _BOUNDS else ""
    if said.startswith("must be"):
        return document.problem(path, f"{key} {said}{got}")
    return document.problem(path, f"{key}: {said[:1].lower()}{said[1:]}" if key else said)


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
}


_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")
_PATTERNS = {
    NAME: "write a small letter or digit, then small letters, digits, dots, dashes and underscores",
    SHA256: "write sha256: and 64 hexadecimal digits, in small letters",
}


def _hint(kind: str, value: Any, written: Any) -> str:
    if kind == "string_type" and value is not None and not isinstance(value, list | dict):
        return f'put it in quotes: "{written}"'
    if kind in ("int_type", "float_type") and isinstance(value, str) and _NUMBER.fullmatch(value):
        return f"leave the quotes out: {value}"
    if kind in ("list_type", "tuple_type") and value is not None and not isinstance(value, dict):
        return f"write [{written}]"
    return ""


def _given(value: Any, written: Any) -> str:
    """Return a value of the wrong type for people: its kind, and what was written unless that would be long."""
    if value is None or isinstance(value, list | dict):
        return _kind(value)
    return f"{_kind(value)} {_show(written) if isinstance(value, str) else _cut(str(written))}"


def _show(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _kind(value: Any) -> str:
    names = {
        bool: "the truth value",
        str: "the text",
        int: "the number",
        float: "the number",
        list: "a list",
        dict: "a mapping",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def _fields(model: Any, path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the model at ``path`` knows."""
    for part in path:
        if isinstance(part, str) and part in (keys := _keys(model)):
            model = keys[part]
        for argument in typing.get_args(model):
            argument = argument.__origin__ if hasattr(argument, "__metadata__") else argument  # of Annotated
            if _keys(argument):
                model = argument
    return list(_keys(model))


def _keys(model: Any) -> dict[str, Any]:
    """Return the keys of a model, as one writes them, with their types."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _label(path: tuple[str | int, ...]) -> str:
    """Return the last key of a path, with its place in a list: ``prefill[0]``."""
    if path and isinstance(path[-1], int):
        return f"{_label(path[:-1])}[{path[-1]}]"
    return str(path[-1]) if path else ""
