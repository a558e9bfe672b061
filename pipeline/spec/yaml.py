"""The one place that reads YAML: strictly, with the position of every value.

Duplicate keys, aliases and tags are errors; plain scalars follow YAML 1.2's core schema, so that ``no`` is a string and ``0o17`` a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
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
_LONGEST_NUMBER = 40
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Document:
    """A parsed file: its value, and where each value and key stands. Positions are (line, column), from 1.

    ``written`` holds plain scalars as the file has them: ``1.10`` is the number 1.1, but was written otherwise.
    """

    file: str
    value: Any = None
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
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
    if (node := _quickly(text)) is not None:
        document.value = _value(document, node, ())
        return document
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise SpecError([_malformed(file, error)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        problem = Problem(file, line, column, f"the character U+{error.character:04X} stands here", "remove it")
        raise SpecError([problem]) from None
    except RecursionError:
        raise SpecError([Problem(file, 1, 1, f"nested deeper than {_DEPTH} levels")]) from None
    except (ValueError, OverflowError):  # PyYAML's scanner, for an escape beyond Unicode
        line, column = loader.line + 1, loader.column + 1
        raise SpecError([Problem(file, line, column, "this escape is no Unicode character")]) from None
    document.problems += [Problem(file, *at, *fault) for at, fault in loader.faults]
    if node is not None:
        document.value = _value(document, node, ())
    return document


@dataclass(frozen=True)
class Place:
    """Where a value stands in a text: from ``start`` up to ``end`` (characters, from 0). ``flow`` tells whether it is
    written in brackets or on one line; ``column`` is where a mapping's keys stand, from 0.
    """

    start: int
    end: int
    flow: bool
    column: int


def places(text: str) -> dict[Path, Place]:
    """Return where every value of a sound document stands, by its path: what an edit of the text needs to know. Raises
    SpecError for what ``parse`` takes, and other readers of YAML do not.
    """
    found: dict[Path, Place] = {}

    def visit(node: yaml.Node, path: Path) -> int:
        """Note a node; returns where its last character stands, without the space and comments behind it."""
        start, end, flow = node.start_mark.index, node.end_mark.index, bool(getattr(node, "flow_style", True))
        inner: list[tuple[str | int, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            inner = [(str(key.value), value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            inner = list(enumerate(node.value))
        ends = [visit(value, (*path, key)) for key, value in inner]
        if ends and not flow:
            end = max(ends)
        found[path] = Place(start, end, flow, node.start_mark.column)
        return end

    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:  # libyaml is not as strict with tabs
        raise SpecError([_malformed("", error)]) from None
    if node is not None:
        visit(node, ())
    return found


def _malformed(file: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = error.problem or error.context or ""
    if said == "but found another document":
        return Problem(file, line, column, "a second document begins here", "one file holds one document: remove it")
    hint = "indent with spaces" if r"'\t'" in said else ""
    return Problem(file, line, column, f"not valid YAML: {error.context + ': ' if error.context else ''}{said}", hint)


class _Composer(yaml.composer.Composer):
    """Composes nodes without resolving anything. Aliases are never followed, so that no file grows while it is read."""

    faults: list[tuple[Position, tuple[str, str]]]
    peek_event: Any
    get_event: Any

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()
        mark: Any = event.start_mark  # each parser has a class of its own for it
        position = (mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            self.get_event()
            self.faults.append((position, ("an alias stands here", "write the value out: aliases are not supported")))
            return yaml.ScalarNode("", "", mark, mark)
        if tag := getattr(event, "tag", None):
            shown = f"!!{tag.rpartition(':')[2]}" if tag.startswith("tag:yaml.org") else tag
            self.faults.append((position, (f"the tag {shown} is not supported", "leave it out")))
        return super().compose_node(parent, index)


class _Loader(_Composer, yaml.BaseLoader):
    """Reads with PyYAML's own parser, whose messages say most."""

    def __init__(self, text: str) -> None:
        yaml.BaseLoader.__init__(self, text)
        self.faults = []


def _quickly(text: str) -> yaml.Node | None:
    """Read with libyaml, five times as fast: a catalog of hundreds of specs is checked in every CI run. None for whatever is not
    plain and sound, or where there is no libyaml; the other parser then says what is wrong.
    """
    if not yaml.__with_libyaml__ or not text.isascii():  # the two count columns differently beyond ASCII
        return None
    try:
        loader = _quick_loader()(text)
        node = loader.get_single_node()
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return None
    return None if loader.faults else node


@cache
def _quick_loader() -> Any:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class Quick(_Composer, CParser, yaml.resolver.BaseResolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Composer.__init__(self)
            yaml.resolver.BaseResolver.__init__(self)
            self.faults = []

    return Quick


def _value(document: Document, node: yaml.Node, path: Path) -> Any:
    position = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.values[path] = position
    if len(path) > _DEPTH:
        document.problems.append(Problem(document.file, *position, f"nested deeper than {_DEPTH} levels"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, item, (*path, i)) for i, item in enumerate(node.value)]
    text = str(node.value)
    if _SURROGATE.search(text):
        document.problems.append(Problem(document.file, *position, "half of a surrogate pair is no character"))
        return None
    if isinstance(node, yaml.ScalarNode) and not node.style:
        document.written[path] = text
        return _scalar(text)
    return text


def _mapping(document: Document, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        position = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode) or _SURROGATE.search(key_node.value):
            document.problems.append(Problem(document.file, *position, "a key must be plain text"))
            continue
        key = str(key_node.value)
        inner = (*path, key)
        if key in result:
            first = document.keys[inner][0]
            document.problems.append(
                Problem(document.file, *position, f"key {key!r} stands here twice", f"first in line {first}")
            )
            continue
        document.keys[inner] = position
        result[key] = _value(document, value_node, inner)
    return result


def _scalar(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
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
