"""Amounts as people write them: bytes of memory, and time."""

from __future__ import annotations

import re
from typing import Any

import click

_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class _Memory(click.ParamType[int]):
    """Bytes, as ``8GiB``; the units are powers of two."""

    name = "size"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmgt]?)(?:i?b)?", str(value).lower())
        size = int(float(found[1]) * _BYTES[found[2]]) if found else 0
        if size < 1:
            self.fail(f"{value!r} is no amount of memory: write for instance 8GiB or 900MiB", parameter, context)
        return size


class _Span(click.ParamType[float]):
    """Seconds, as ``90``, ``90s``, ``10m`` or ``1h``."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([smhd]?)", str(value).lower())
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no time: write for instance 90s, 10m or 1h", parameter, context)
        return float(found[1]) * _SECONDS[found[2]]


MEMORY, SPAN = _Memory(), _Span()
