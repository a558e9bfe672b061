"""Renders chat templates; ``render_server`` runs this in a process of its own.

It imports nothing of this package but the scanner beside it. Templates come from strangers: the sandbox keeps them from
Python, the server's limits on memory and CPU time keep them from the machine. What a template finds here is what llama-server
gives it, with a clock that stands still. Names in a context that begin with ``$`` are for us: ``$later`` sets the clock
to another day, ``$without`` takes variables out, ``$given`` leaves messages as they are, ``$scan`` asks for what the
template is made of in place of a prompt.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW, LATER = datetime(2026, 1, 15, 12, 0, 0), datetime(2031, 7, 20, 18, 30, 0)
MARK = "Millstone mark"
MAX_TEXT = 4 << 20
MAX_ALL = 16 << 20
MAX_ERROR = 2000


class Generation(Extension):
    """``{% generation %}`` marks the answer for training; when rendering it does nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with what llama.cpp allows beyond it: lists that a template made itself may grow. ``reached`` holds
    each filter and test that was called, with the number and the names of its arguments.
    """

    reached: set[tuple[str, int, str]]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return (type(obj) is list and attr in ("append", "pop")) or super().is_safe_attribute(obj, attr, value)


class Missing(jinja2.Undefined):
    """An undefined variable; as in llama.cpp it is nothing where it is joined to text, or trimmed or changed as text."""

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__

    def as_text(self, *_: Any) -> str:
        return ""

    capitalize = lower = replace = strip = title = upper = as_text


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
    made.reached = set()
    made.filters.update({name: recorded(made.reached, name, call) for name, call in made.filters.items()})
    made.tests.update({name: recorded(made.reached, name, call) for name, call in made.tests.items()})
    return made


def recorded(reached: set[tuple[str, int, str]], name: str, function: Any) -> Any:
    """Wrap a filter or test so that its calls are known afterwards."""
    own = 2 if hasattr(function, "jinja_pass_arg") else 1  # the value, and what jinja2 passes itself

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        reached.add((name, len(args) - own, " ".join(sorted(kwargs))))
        return function(*args, **kwargs)

    return call


def to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Print JSON as transformers does: not escaped for HTML, as jinja2's own filter would; generators as lists."""
    options = {"ensure_ascii": ensure_ascii, "indent": indent, "separators": separators, "sort_keys": sort_keys}
    return json.dumps(value, default=_listed, **options)


def _listed(value: Any) -> Any:
    if isinstance(value, Iterator):
        return list(value)
    if isinstance(value, jinja2.Undefined):
        raise TypeError(f"{value._undefined_name!r} is undefined and can't be printed as JSON")
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


def takes_parts(template: jinja2.Template, context: dict[str, Any]) -> bool:
    """Say whether the text of a message comes through as a list of parts only; llama-server then makes one of it."""

    def comes(content: Any) -> bool:
        messages = [{"role": "user", "content": content}]
        return MARK in _try(template, {**context, "messages": messages, "add_generation_prompt": True})

    return not comes(MARK) and comes([{"type": "text", "text": MARK}])


def takes_objects(template: jinja2.Template, context: dict[str, Any]) -> bool:
    """Say whether arguments of calls come through as objects; else llama-server leaves them the text they were."""
    function = {"name": "tool1", "description": "A tool.", "parameters": {"type": "object", "properties": {}}}
    call = {"id": "call00001", "type": "function", "function": {"name": "tool1", "arguments": {"arg": MARK}}}
    messages = [
        {"role": "user", "content": "ask"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "result", "tool_call_id": "call00001"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "ask"},
    ]
    return MARK in _try(
        template, {**context, "messages": messages, "tools": [{"type": "function", "function": function}]}
    )


def _try(template: jinja2.Template, context: dict[str, Any]) -> str:
    try:
        return render(template, context)
    except (MemoryError, RecursionError, TooLong):
        raise
    except Exception:
        return ""


class Prepared:
    """A template, and what llama-server would learn of it before it uses it."""

    def __init__(self, made: Environment, source: str) -> None:
        self.made = made
        self.found: list[dict[str, Any]] | Exception
        tree = made.parse(source)
        try:
            self.found = scanner().scan(made, source, tree)
        except Exception as error:  # says nothing about rendering; it is raised where it is asked for
            self.found = error
        before = set(made.reached)
        self.template = made.from_string(tree)
        made.reached.intersection_update(before)  # compiling calls filters on constants
        self.learned = dict[str, bool]()

    def answer(self, given: dict[str, Any]) -> str:
        """Render one context, or list what the template is made of."""
        context = {name: value for name, value in given.items() if not name.startswith("$")}
        if given.get("$scan"):
            if isinstance(self.found, Exception):
                raise self.found
            return json.dumps({"uses": self.found, "reached": sorted(self.made.reached)})
        for name in given.get("$without", ()):
            context.pop(name, None)
        if given.get("$later"):
            context |= {"date_string": f"{LATER:%d %b %Y}", "datetime": f"{LATER:%b %d %Y}"}
            context["strftime_now"] = LATER.strftime
        if "messages" in context and not given.get("$given"):
            context["messages"] = [self.rewritten(message, context) for message in context["messages"]]
            context |= {"tools": [filled(tool) for tool in context["tools"]]} if context.get("tools") else {}
            return render(self.template, context)
        before = set(self.made.reached)
        try:
            return render(self.template, context)
        finally:  # llama-server's own requests never come here
            self.made.reached.intersection_update(before)

    def learn(self, what: Any, context: dict[str, Any]) -> bool:
        if what.__name__ not in self.learned:
            rest = {name: value for name, value in context.items() if name not in ("messages", "tools")}
            self.learned[what.__name__] = what(self.template, rest)
        return self.learned[what.__name__]

    def rewritten(self, message: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """Do to a message what llama-server does before the template gets it."""
        message = {**message, "content": message.get("content") or ""}
        if message.get("tool_calls") and not self.learn(takes_objects, context):
            calls = [{**call, "function": dict(call["function"])} for call in message["tool_calls"]]
            for call in calls:
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
            message["tool_calls"] = calls
        if isinstance(message["content"], str) and self.learn(takes_parts, context):
            message["content"] = [{"type": "text", "text": message["content"]}]
        return message


def filled(tool: dict[str, Any]) -> dict[str, Any]:
    """Put in what llama-server puts in where a tool lacks it; nothing else of a tool gets to the template."""
    function = tool["function"]
    parts = {"name": "", "description": "", "parameters": {}}
    return {"type": "function", "function": {name: function.get(name, empty) for name, empty in parts.items()}}


def scanner() -> Any:
    """Load the scanner, which lies beside this file; ``python -I`` doesn't look there."""
    name = "render_scan"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def failure(error: BaseException) -> dict[str, Any]:
    """Say what went wrong and in which line of the template."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return {"kind": "syntax", "error": str(error.message)[:MAX_ERROR], "line": error.lineno}
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    kind = "limit" if isinstance(error, (TooLong, MemoryError, RecursionError)) else "raised"
    said = "it wants more memory than it may have" if isinstance(error, MemoryError) else str(error)[:MAX_ERROR]
    return {"kind": kind, "error": said or type(error).__name__, "line": lines[-1] if lines else 0}


def prepared(
    made: Environment, compiled: dict[str, Prepared], sources: dict[str, str], job: dict[str, Any]
) -> Prepared:
    """Return the template of a job, compiled once: only now, as compiling may take as long as rendering and the blame
    must fall here. Tools go to the first template where their own does not parse.
    """
    source = sources[job["template"]]
    try:
        if source not in compiled:
            compiled[source] = Prepared(made, source)
    except jinja2.TemplateSyntaxError:
        if job["template"] != "tools" or sources.get("chat", source) == source or "$scan" in job["context"]:
            raise
        return prepared(made, compiled, sources, {**job, "template": "chat"})
    return compiled[source]


def answers(sources: dict[str, str], jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the answer to each job, which names one of the templates and has a context: ``text``, or what went wrong."""
    made, compiled, left = environment(), dict[str, Prepared](), MAX_ALL
    for job in jobs:
        try:
            text = prepared(made, compiled, sources, job).answer(job["context"])
            left -= len(text)
            if left < 0:
                raise TooLong(f"all prompts together grow beyond {MAX_ALL >> 20} MiB")
            yield {"text": text}
        except Exception as error:
            yield failure(error)
