"""Renders chat templates in a process of its own: ``python -I render_child.py``, a request on stdin, an answer a line
on stdout.

It imports nothing of this package. Templates come from strangers: the sandbox keeps them from Python, the limits on
memory and CPU time keep them from the machine. What a template finds here is what llama-server gives it, with a clock
that stands still.
"""

from __future__ import annotations

import json
import resource
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime(2026, 1, 15, 12, 0, 0)
MAX_TEXT = 4 << 20


class Generation(Extension):
    """``{% generation %}`` marks the answer for training; when rendering it does nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with what llama.cpp allows beyond it: lists that a template made itself may grow."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return (type(obj) is list and attr in ("append", "pop")) or super().is_safe_attribute(obj, attr, value)


class Missing(jinja2.Undefined):
    """An undefined variable; joined to text it is nothing, as in llama.cpp."""

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__


class TooLong(Exception):
    """The rendering is beyond all bounds."""


def environment() -> Environment:
    """Return the environment that chat templates are written for."""
    extensions = ["jinja2.ext.loopcontrols", Generation]
    made = Environment(trim_blocks=True, lstrip_blocks=True, undefined=Missing, extensions=extensions)
    made.filters["tojson"] = to_json
    made.filters["safe"] = lambda value: value
    made.filters["from_json"] = json.loads
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Print JSON as transformers does: not escaped for HTML, as jinja2's own filter would; generators as lists."""
    options = {"ensure_ascii": ensure_ascii, "indent": indent, "separators": separators, "sort_keys": sort_keys}
    return json.dumps(value, default=_listed, **options)


def _listed(value: Any) -> Any:
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} can't be printed as JSON")


def raise_exception(message: str) -> None:
    """Let a template refuse a conversation."""
    raise jinja2.TemplateError(message)


def render(template: jinja2.Template, context: dict[str, Any]) -> str:
    """Render piece by piece, so that an endless template stops at the bound."""
    pieces, length = [], 0
    for piece in template.generate(**context):
        length += len(piece)
        if length > MAX_TEXT:
            raise TooLong(f"the prompt grows beyond {MAX_TEXT >> 20} MiB")
        pieces.append(piece)
    return "".join(pieces)


def failure(error: BaseException) -> dict[str, Any]:
    """Say what went wrong and in which line of the template."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return {"kind": "syntax", "error": str(error.message), "line": error.lineno}
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    kind = "limit" if isinstance(error, (TooLong, MemoryError, RecursionError)) else "raised"
    return {"kind": kind, "error": str(error) or type(error).__name__, "line": lines[-1] if lines else 0}


def limit(memory: int, cpu: int) -> None:
    """Bound our memory (bytes) and CPU time (seconds); where the system can't, the parent's clock remains."""
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def main() -> None:
    """Answer one request: ``templates`` by name, ``jobs`` each with its template's name and context, ``memory``,
    ``cpu``.
    """
    request = json.load(sys.stdin)
    limit(request["memory"], request["cpu"])
    made, compiled = environment(), dict[str, jinja2.Template]()
    for job in request["jobs"]:
        name = job["template"]
        try:
            if name not in compiled:  # only now: compiling may take as long as rendering, and the blame must fall here
                compiled[name] = made.from_string(request["templates"][name])
            answer = {"text": render(compiled[name], job["context"])}
        except Exception as error:
            answer = failure(error)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
