"""Canonical JSON: one value, one sequence of bytes, on every machine."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest


def canonical_bytes(value: Any) -> bytes:
    """Return sorted, compact UTF-8 JSON. Floats print as the shortest text that reads back; NaN and infinity raise ValueError."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def digest_of(value: Any) -> Digest:
    """Return the digest of a JSON value's canonical bytes."""
    return Digest.of(canonical_bytes(value))


def read_json(content: bytes) -> Any:
    """Read JSON that could be canonical: UTF-8, no key twice, no NaN or infinity. Raises ValueError for anything else."""
    try:
        return json.loads(content.decode(), object_pairs_hook=_once, parse_constant=no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)  # counted once: who sent it may mean no good
        raise ValueError(f"the key {next(name for name, count in counted.items() if count > 1)!r} stands twice")
    return found


def no_constant(name: str) -> None:
    """Refuse what Python reads and JSON doesn't have: NaN and infinity. For ``json.loads``."""
    raise ValueError(f"{name} is not JSON")


def pretty(value: Any) -> str:
    """Return the same content for files that people read and diff: sorted, indented, a newline at the end."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: times in ISO 8601, enumerations by value, bytes in hexadecimal, numbers that don't exist as null."""
    match value:
        case dict():
            return {key if isinstance(key, str | int | float) else str(key): plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case bytes():
            return value.hex()
        case Decimal():
            return plain(float(value))
        case Enum():
            return value.value
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value


def tree_digest(folder: Path) -> Digest:
    """Return one digest for all files below ``folder`` (hidden files and caches left out): names and contents, not times."""
    files = {
        path.relative_to(folder).as_posix(): str(Digest.of_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    }
    return digest_of(files)
