"""Names from outside: which paths may lead to a file on every system, and never out of the folder they count from."""

from __future__ import annotations

import re

_LONGEST_NAME, _LONGEST_PATH = 255, 1024


def fault_of(path: str) -> str:
    """Return what is wrong with a relative path, nothing when it is safe: on every system, in every folder."""
    if not path.isprintable():
        return "it holds control characters"
    if "\\" in path:
        return "it holds a backslash"
    if len(path.encode()) > _LONGEST_PATH:
        return f"it is longer than {_LONGEST_PATH} bytes"
    for name in path.split("/"):
        if name in ("", ".", "..") or re.match("[A-Za-z]:", name):
            return f"{name!r} can't be a part of a path"
        if len(name.encode()) > _LONGEST_NAME:
            return f"a name in it is longer than {_LONGEST_NAME} bytes"
    return ""
