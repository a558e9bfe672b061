"""Modelfiles of Ollama: read, turned into a spec, and written for what a lock holds.

A Modelfile is lines of ``COMMAND value``; a value in quotes (``"…"`` or three of them) may go over several lines and ends with the line
that ends in its quotes. Nothing is escaped, and there are no comments behind values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import UsageError

_COMMAND = re.compile(r"[ \t]*([A-Za-z]+)(?:[ \t]+(.*))?", re.DOTALL)
_ROLES = ("system", "user", "assistant")
_KNOWN = "FROM PARAMETER TEMPLATE SYSTEM ADAPTER LICENSE MESSAGE RENDERER PARSER REQUIRES DRAFT".split()
_SHOWN = re.compile(r"#\s*FROM\s+(\S+)\s*")
# What a spec calls them, by part.
PARAMETERS: dict[str, tuple[str, str]] = {
    "temperature": ("sampling", "temperature"),
    "top_k": ("sampling", "top_k"),
    "top_p": ("sampling", "top_p"),
    "min_p": ("sampling", "min_p"),
    "repeat_penalty": ("sampling", "repeat_penalty"),
    "seed": ("sampling", "seed"),
    "num_predict": ("sampling", "max_tokens"),
    "num_ctx": ("engine", "context"),
    "num_gpu": ("engine", "gpu_layers"),
    "num_thread": ("engine", "threads"),
    "num_batch": ("engine", "batch"),
}


@dataclass(frozen=True)
class Parameter:
    """One ``PARAMETER``, as it is written. ``line`` counts from 1."""

    name: str
    value: str
    line: int


@dataclass(frozen=True)
class Modelfile:
    """What a Modelfile says. ``sources`` are its FROM values, at least one; ``shown`` is the name that ``ollama show`` leaves in a
    comment where FROM itself is a path into Ollama's store; ``others`` are commands that only Ollama understands.
    """

    sources: tuple[str, ...]
    shown: str | None = None
    parameters: tuple[Parameter, ...] = ()
    template: str | None = None
    system: str | None = None
    adapters: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()


@dataclass
class _Said:
    """What was read so far, by command."""

    shown: str | None = None
    values: dict[str, list[str]] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)


def read_modelfile(text: str) -> Modelfile:
    """Read a Modelfile. Raises UsageError that names the line."""
    said = _Said()
    for line, command, value in _commands(text, said):
        if command == "PARAMETER":
            name, rest = _word(value)
            rest = _unquoted(rest)
            if not re.fullmatch("[A-Za-z0-9_]+", name) or not rest:
                raise _fault(line, "PARAMETER wants a name and a value", "for instance PARAMETER temperature 0.7")
            said.parameters.append(Parameter(name, rest, line))
        elif command == "MESSAGE":
            role, rest = _word(value)
            if role.lower() not in _ROLES:
                raise _fault(line, f"{role!r} is no role of a message", f"write one of {', '.join(_ROLES)}")
            said.messages.append((role.lower(), _unquoted(rest)))
        else:
            said.values.setdefault(command, []).append(_unquoted(value))
    values = said.values
    if not values.get("FROM") or not all(values["FROM"]):
        raise UsageError("the Modelfile has no FROM", hint="FROM names the model, as in FROM qwen3:0.6b")
    return Modelfile(
        tuple(values["FROM"]),
        said.shown,
        tuple(said.parameters),
        values.get("TEMPLATE", [None])[-1],
        values.get("SYSTEM", [None])[-1],
        tuple(values.get("ADAPTER", ())),
        tuple(values.get("LICENSE", ())),
        tuple(said.messages),
        tuple((name, value) for name in _KNOWN[7:] for value in values.get(name, ())),
    )


def _commands(text: str, said: _Said) -> Iterator[tuple[int, str, str]]:
    """Yield line, command and value, quotes and all."""
    lines = iter(enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1))
    for number, line in lines:
        plain = line.strip(" \t")
        if not plain or plain.startswith("#"):
            if found := _SHOWN.fullmatch(plain):
                said.shown = found[1]
            continue
        found = _COMMAND.fullmatch(line)
        command = found[1].upper() if found else ""
        if not found or command not in _KNOWN:
            shown = plain.split()[0][:40] if plain.split() else plain[:40]
            raise _fault(number, f"{shown!r} is no command of a Modelfile", f"write one of {', '.join(_KNOWN)}")
        value = found[2] or ""
        while not _ended(command, value):
            _, more = next(lines, (0, None))
            if more is None:
                raise _fault(number, f"the quotes of this {command} never end", "end them with a line's end")
            value += f"\n{more}"
        yield number, command, value


def _ended(command: str, value: str) -> bool:
    if command in ("PARAMETER", "MESSAGE"):
        value = _word(value)[1]
    value = value.strip()
    if value.startswith('"""'):
        return len(value) >= 6 and value.endswith('"""')
    return not value.startswith('"') or (len(value) >= 2 and value.endswith('"'))


def _word(value: str) -> tuple[str, str]:
    """Return the first word and what follows."""
    first, *rest = re.split(r"[ \t]+", value.strip(), maxsplit=1)
    return first, rest[0] if rest else ""


def _unquoted(value: str) -> str:
    value = value.strip()
    for quotes in ('"""', '"'):
        if value.startswith(quotes):
            return value[len(quotes) : -len(quotes)]
    return value


def _fault(line: int, message: str, hint: str) -> UsageError:
    return UsageError(f"line {line} of the Modelfile: {message}", hint=hint)


def modelfile_of(
    weights: str,
    spec: Mapping[str, Any],
    *,
    template: str | None = None,
    system: str | None = None,
    adapters: Sequence[str] = (),
    licenses: Sequence[str] = (),
    comments: Sequence[str] = (),
) -> str:
    """Return a Modelfile for a file of weights (a path as FROM takes it, for instance ``./tiny.gguf``) and a spec's content.

    ``template`` is one of Ollama's, in the language of Go; a spec's own template is Jinja and can't be said here, which a comment tells.
    Raises UsageError for a value that no quotes of a Modelfile can hold.
    """
    lines = [f"# {' '.join(comment.split())}" for comment in comments]
    chat, sampling, engine = (spec.get(part) or {} for part in ("chat", "sampling", "engine"))
    if chat.get("template") and template is None:
        lines.append(f"# {chat['template']} is Jinja: Ollama takes the model's own template instead")
    for key, value in (engine.get("overrides") or {}).items():
        lines.append(f"# Ollama can't be told {key}: {value}; it takes the file's own")
    lines.append(f"FROM {_quoted('FROM', weights)}")
    lines += [f"ADAPTER {_quoted('ADAPTER', adapter)}" for adapter in adapters]
    if template is not None:
        lines.append(f"TEMPLATE {_quoted('TEMPLATE', template)}")
    if system is not None:
        lines.append(f"SYSTEM {_quoted('SYSTEM', system)}")
    for name, (part, key) in PARAMETERS.items():
        value = {"sampling": sampling, "engine": engine}[part].get(key)
        if value is not None:
            lines.append(f"PARAMETER {name} {value}")
    lines += [f"PARAMETER stop {_quoted('PARAMETER stop', stop)}" for stop in chat.get("stop") or ()]
    lines += [f"LICENSE {_quoted('LICENSE', license)}" for license in licenses]
    return "\n".join(lines) + "\n"


def _quoted(command: str, value: str) -> str:
    """Return a value as a Modelfile must write it, so that it is read back as it is."""
    for written in (value, f'"{value}"', f'"""{value}"""'):
        try:
            read = [*_commands(f"{command} {written}", _Said())]
        except UsageError:
            continue
        if len(read) == 1:
            back = _word(read[0][2])[1] if command == "PARAMETER stop" else read[0][2]
            if _unquoted(back) == value and value:
                return written
    if not value:
        return '""'
    shown = value if len(value) < 60 else f"{value[:57]}…"
    raise UsageError(
        f"{shown!r} can't be written in a Modelfile", hint="its quotes, or a carriage return, stand in the way"
    )
