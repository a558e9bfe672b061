"""Change one value in a YAML file and leave the rest as its author wrote it: comments, order, layout.

The text is edited at the places that the parser reports, then read again: what comes out must be the old content with
just that change, or nothing is changed at all.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

from pipeline.core.errors import SpecError, UsageError
from pipeline.spec import yaml
from pipeline.spec.yaml import Place, places

Keys = tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_HIDDEN = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML does not take as it is, beside what JSON escapes."""
_INDENT = 2


def edited(text: str, path: Keys, value: Any) -> str:
    """Return a YAML text with ``value`` at ``path``; a mapping is merged into what stands there. Raises UsageError where the
    text can't be edited so that it means that and nothing else.
    """
    before = yaml.parse(text, "").value
    after = text
    refused = UsageError(
        f"{'.'.join(path)} can't be written into this file by a machine", hint=f"write it there: {_inline(value)}"
    )
    try:
        for keys, one in _leaves(path, value):
            after = _set(after, keys, one)
    except SpecError:
        raise refused from None
    if _meaning(after) != wanted(before, path, value):
        raise refused
    return after


def _meaning(text: str) -> Any:
    try:
        document = yaml.parse(text, "")
    except SpecError:
        return None
    return None if document.problems else document.value


def wanted(content: Any, path: Keys, value: Any) -> Any:
    """Return what a document must mean with ``value`` at ``path``; the document itself stays as it is."""
    content = deepcopy(content) if isinstance(content, dict) else {}
    for keys, one in _leaves(path, value):
        part = content
        for key in keys[:-1]:
            if not isinstance(part.get(key), dict):
                part[key] = {}
            part = part[key]
        part[keys[-1]] = one
    return content


def _leaves(path: Keys, value: Any) -> list[tuple[Keys, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, one in value.items() for leaf in _leaves((*path, key), one)]


def _set(text: str, path: Keys, value: Any) -> str:
    known = places(text)
    if place := known.get(path):
        if not place.flow:
            raise UsageError(f"{'.'.join(path)} is written over several lines", hint=f"write it: {_inline(value)}")
        return text[: place.start] + _inline(value) + text[place.end :]
    depth = max((length for length in range(len(path)) if path[:length] in known), default=0)
    parent, rest = known.get(path[:depth]), path[depth:]
    if parent is None:  # the document is empty
        return text + _block(rest, value, 0, _newline(text))
    if parent.flow and text[parent.start : parent.start + 1] != "{":
        raise UsageError(f"{'.'.join(path[:depth])} has no keys", hint=f"write below it: {rest[0]}: …")
    return _into_flow(text, parent, rest, value) if parent.flow else _into_block(text, parent, rest, value)


def _into_flow(text: str, parent: Place, rest: Keys, value: Any) -> str:
    inner = text[parent.start + 1 : parent.end - 1]
    shown = _inline(value)
    for key in reversed(rest[1:]):
        shown = f"{{{_key(key)}: {shown}}}"
    there = inner.rstrip(" \t\r\n")  # of other spaces, which Python's own would take too, YAML makes text
    at = parent.start + 1 + len(there)
    lead = "" if not there.strip(" \t\r\n") else " " if there.endswith(",") else ", "
    return f"{text[:at]}{lead}{_key(rest[0])}: {shown}{text[at:]}"


def _into_block(text: str, parent: Place, rest: Keys, value: Any) -> str:
    newline = _newline(text)
    at = parent.end
    if text[at - 1 : at] != "\n":  # the end of the line, with the comment that it may have
        at = text.find("\n", at) + 1 or len(text)
    lead = newline if at and text[at - 1 : at] != "\n" else ""
    return text[:at] + lead + _block(rest, value, parent.column, newline) + text[at:]


def _block(rest: Keys, value: Any, column: int, newline: str) -> str:
    lines = [f"{' ' * (column + _INDENT * depth)}{_key(key)}:" for depth, key in enumerate(rest)]
    return newline.join(lines) + f" {_inline(value)}{newline}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else _quoted(key)


def _inline(value: Any) -> str:
    """Return a value on one line: plain where that means the same, else as JSON, which YAML includes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and yaml.parse(value, "").value == value:
        return value
    return _quoted(value)


def _quoted(value: Any) -> str:
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
