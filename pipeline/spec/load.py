"""From a YAML file to a checked model: every fault with its place and what to write instead, all of them at once."""

from __future__ import annotations

import difflib
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.core.errors import Problem, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.spec import yaml
from pipeline.spec.model import Spec

LIMIT = 4 << 20
M = TypeVar("M", bound=BaseModel)


def read_model(path: Path, model: type[M]) -> M:
    """Read ``path`` as ``model``. Raises SpecError with all problems, UsageError when the file can't be read."""
    try:
        content = path.read_bytes()
        text = content.decode()
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError([Problem(shown(path), 0, 0, f"not UTF-8 text: byte {error.start}")]) from None
    if len(content) > LIMIT:
        raise SpecError([Problem(shown(path), 0, 0, f"larger than {LIMIT >> 20} MiB")])
    return check(yaml.parse(text, shown(path)), model)


def check(document: yaml.Document, model: type[M]) -> M:
    """Check a parsed document against ``model``."""
    problems = list(document.problems)
    checked = None
    try:
        checked = model.model_validate(document.value if document.value is not None else {})
    except ValidationError as error:
        problems += [_problem(document, model, detail) for detail in error.errors(include_url=False)]
    if problems or checked is None:
        raise SpecError(list(dict.fromkeys(problems)))
    return checked


def read_spec(path: Path) -> Spec:
    """Read one spec; its name must be that of its file."""
    spec = read_model(path, Spec)
    if spec.name != path.stem:
        hint = f"write name: {path.stem}, or call the file {spec.name}.yaml"
        raise SpecError([Problem(shown(path), 1, 1, f"the spec's name is {spec.name!r}, its file's {path.stem!r}", hint)])
    return spec


def find_spec(project: Project, name: str) -> Path:
    """Return the spec file for a name, or for a path to a spec. Raises UsageError with the nearest names."""
    if name.endswith((".yaml", ".yml")):
        if Path(name).is_file():
            return Path(name)
        raise UsageError(f"no such file: {name}")
    path = project.specs / f"{name}.yaml"
    if path.is_file():
        return path
    known = [found.stem for found in spec_files(project)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UsageError(f"no spec {name!r}: {shown(path)} does not exist", hint=hint)


def spec_files(project: Project) -> list[Path]:
    """Return the specs of the catalog, by name: those directly in ``specs/``."""
    return sorted(project.specs.glob("*.yaml"))


def shown(path: Path) -> str:
    """Return a path for people: relative to here where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _problem(document: yaml.Document, model: type[BaseModel], error: ErrorDetails) -> Problem:
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
        return document.problem(path, f"{key or 'the file'} wants keys and values, not {_kind(value)}")
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        choices = [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        return document.problem(path, f"{key} must be {expected}, not {value!r}", hint)
    if kind == "string_pattern_mismatch":
        return document.problem(path, f"{key}: {value!r} does not fit the pattern {context.get('pattern')}")
    wanted = _WANTED.get(kind)
    if wanted:
        return document.problem(path, f"{key} wants {wanted}, not {_kind(value)} {value!r}", _hint(kind, value))
    return document.problem(path, f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}")


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
}


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and value is not None and not isinstance(value, list | dict):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.strip().isdigit():
        return f"leave the quotes out: {value}"
    if kind in ("list_type", "tuple_type") and not isinstance(value, dict):
        return f"write [{value}]"
    return ""


def _kind(value: Any) -> str:
    names = {str: "text", int: "the number", float: "the number", list: "a list", dict: "a mapping", type(None): "nothing"}
    return "true or false" if isinstance(value, bool) else names.get(type(value), type(value).__name__)


def _fields(model: Any, path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the model at ``path`` knows."""
    for part in path:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[part].annotation
        for argument in typing.get_args(model):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                model = argument
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _label(path: tuple[str | int, ...]) -> str:
    """Return the last key of a path, with its place in a list: ``prefill[0]``."""
    if path and isinstance(path[-1], int):
        return f"{_label(path[:-1])}[{path[-1]}]"
    return str(path[-1]) if path else ""
