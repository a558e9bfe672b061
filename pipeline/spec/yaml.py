"""The one place that reads YAML: strictly, with the position of every value.

Duplicate keys, aliases and tags are errors; plain scalars follow YAML 1.2's core schema, so that ``no`` is a string and ``0o17`` a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.core.errors import Problem, SpecError

Path = tuple[str | int, ...]
Position = tuple[int, int]
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_DEPTH = 50


@dataclass
class Document:
    """A parsed file: its value, and where each value and key stands. Positions are (line, column), from 1."""

    file: str
    value: Any = None
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """Return a problem at ``path``, or at the nearest place above it that the file has."""
        places = [self.keys, self.values] if at_key else [self.values, self.keys]
        for length in range(len(path), -1, -1):
            for place in places:
                if found := place.get(path[:length]):
                    return Problem(self.file, *found, message, hint)
        return Problem(self.file, 1, 1, message, hint)


def parse(text: str, file: str) -> Document:
    """Parse one YAML document. Faults of form land in ``problems``; text that is not YAML at all raises SpecError."""
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SpecError([Problem(file, line, column, f"not valid YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError([Problem(file, 1, 1, f"not valid YAML: {error}")]) from None
    if node is not None:
        document.value = _value(document, node, (), set())
    return document


def _value(document: Document, node: yaml.Node, path: Path, seen: set[int]) -> Any:
    position = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.values[path] = position

    def fault(message: str, hint: str = "") -> None:
        document.problems.append(Problem(document.file, *position, message, hint))

    if id(node) in seen:
        return fault("an alias stands here", "write the value out: aliases are not supported")
    seen.add(id(node))
    if len(path) > _DEPTH:
        return fault(f"nested deeper than {_DEPTH} levels")
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, path, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, item, (*path, i), seen) for i, item in enumerate(node.value)]
    if node.tag != "tag:yaml.org,2002:str":
        fault(f"tag {node.tag.rsplit(':', 1)[-1]!r} is not supported", "leave the tag out")
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return _scalar(node.value) if plain else node.value


def _mapping(document: Document, node: yaml.MappingNode, path: Path, seen: set[int]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(Problem(document.file, line, column, "a key must be plain text"))
            continue
        key = str(key_node.value)
        inner = (*path, key)
        if key in result:
            first = document.keys[inner][0]
            document.problems.append(
                Problem(document.file, line, column, f"key {key!r} stands here twice", f"first in line {first}")
            )
            continue
        document.keys[inner] = (line, column)
        result[key] = _value(document, value_node, inner, seen)
    return result


def _scalar(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
