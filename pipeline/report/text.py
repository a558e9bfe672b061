"""Values as text for people, and hostile text made harmless to the eye."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

# Characters that show nothing or turn the line around: what is printed must be what was said.
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_KEPT = {"\n", "\t", "\u00ad", "\u200d"}
_LINE = 60
_SHORT = {word.lower(): word for word in ("BOS", "CPU", "CPUs", "EOS", "EOT", "GPU", "GPUs", "ID", "KV", "OS", "SIMD")}
_GIGA = {"bytes/s": "GB/s", "operations/s": "Gop/s"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def visible(text: str) -> str:
    """Return ``text`` with control, bidirectional and other hidden characters written as ``\\uXXXX``."""
    if text.isascii() and text.replace("\n", " ").replace("\t", " ").isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN and c not in _KEPT else c for c in text)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def number(value: float | None) -> str:
    """Return four significant digits, thousands separated; whole numbers whole; an em dash for None."""
    if value is None:
        return "—"
    if isinstance(value, int) or (value == value and abs(value) >= 1000 and abs(value) != float("inf")):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def signed(value: float | None) -> str:
    """Return a number with its sign, also where it is more than nothing."""
    return number(value) if value is None or value <= 0 else f"+{number(value)}"


def size(count: float) -> str:
    """Return a count of bytes in binary units."""
    step = 0
    while abs(count) >= 1024 and step < len(_BYTES) - 1:
        count, step = count / 1024, step + 1
    return (
        f"{count:.0f} B"
        if step == 0
        else f"{count:.3g} {_BYTES[step]}"
        if count < 1000
        else f"{count:.0f} {_BYTES[step]}"
    )


def quantity(value: float | None, unit: str) -> str:
    """Return a number with its unit; bytes in binary units, rates of a machine in thousands of millions, a share (0 to 1)
    bare.
    """
    if value is not None and unit in ("B", "bytes"):
        return size(value)
    if value is not None and unit in _GIGA:
        return f"{value / 1e9:,.4g} {_GIGA[unit]}"
    shown = "" if unit == "share" else unit
    return f"{number(value)} {shown}".strip() if value is not None else "—"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def plain(value: Any) -> str:
    """Return a JSON value on one line, for a table cell."""
    match value:
        case None:
            return "—"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case str():
            return value
        case list() | tuple():
            return " · ".join(plain(part) for part in value)
        case {"text": str(text), **rest}:
            return f"{text} ({plain(rest)})" if rest else text
        case dict():
            return ", ".join(f"{key} {plain(part)}" for key, part in value.items())
        case _:
            return str(value)


def pretty(value: Any, indent: int = 0) -> str:
    """Return a JSON value in the order it came, indented; a part that fits on a line stays on one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or indent + len(line) <= _LINE:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {pretty(part, indent + 2)}" for key, part in value.items()]
        return "{\n" + ",\n".join(pad + part for part in parts) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + pretty(part, indent + 2) for part in value) + "\n" + " " * indent + "]"


def spreadsheet(value: object) -> object:
    """Return what may stand in a cell of CSV: text that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def label(key: str) -> str:
    """Return a key as words: ``context_length`` becomes ``Context length``, ``cpu_model`` ``CPU model``."""
    words = " ".join(_SHORT.get(word, word) for word in key.split("_"))
    return words[:1].upper() + words[1:]
