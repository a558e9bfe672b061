"""JSON lines: an object for each item, with the digests it belongs to and all of its detail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.canonical import plain
from pipeline.core.files import atomic_write
from pipeline.report.logs._base import Logged, columns, rows

SUFFIX = "jsonl"


def write(logs: Sequence[Logged], path: Path) -> None:
    """Write a line an item, ASCII only, so that hidden characters show."""
    lines = (
        json.dumps(plain({**columns(logged), **vars(row)}), allow_nan=False)
        for logged in logs
        for row in rows(logged.run)
    )
    atomic_write(path, "".join(f"{line}\n" for line in lines))
