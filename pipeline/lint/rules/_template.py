"""What rules on templates share: what a template is made of, and rules for templates that have tools."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.lint.model import Severity
from pipeline.lint.probes import RESULT, TOOL, VALUE
from pipeline.lint.rules._base import Rule, TemplateRule, without_template
from pipeline.lint.subject import Subject

TOOL_USE = "tool_use"
TEMPLATE_FIX = "correct it and name it in the spec (chat.template), or take the publisher's current file"


@dataclass(frozen=True)
class Use:
    """One thing that a template is made of (``render_scan``): ``guarded`` means that not every rendering comes by."""

    kind: str
    name: str
    line: int
    guarded: bool
    detail: Any


@dataclass(frozen=True)
class Source:
    """A template: what positions call it, its text, and the probe that takes it apart."""

    name: str
    text: str
    probe: str


def uses(subject: Subject, source: Source) -> list[Use]:
    """Return what a template is made of; nothing where it does not parse."""
    text = subject.renderings[source.probe].text
    return [Use(**item) for item in json.loads(text)["uses"]] if text else []


def reached(subject: Subject) -> set[tuple[str, int, str]]:
    """Return the filters and tests that were called on the probes, with the number and the names of arguments."""
    text = subject.renderings["scan"].text
    return {(name, count, named) for name, count, named in json.loads(text)["reached"]} if text else set()


def place(source: Source, line: int, near: Iterable[str]) -> str:
    """Return the position of the first of ``near`` that stands in the line, else of the line's first character."""
    lines = source.text.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    for word in near:
        if word in text:
            return f"{source.name}:{line}:{text.index(word) + 1}"
    return f"{source.name}:{line}:{len(text) - len(text.lstrip()) + 1}"


def sources(subject: Subject) -> list[Source]:
    """Return the templates that llama-server takes: one for all, or one and another for requests with tools."""
    found = [Source("chat_template", subject.template or "", "scan")]
    key = f"{TEMPLATE_KEY}.{TOOL_USE}"
    named = subject.header.metadata.get(key)
    if isinstance(named, str) and subject.template == subject.facts.chat_template and named != subject.template:
        found.append(Source(key, named, "scan-tools"))
    return found


def shared(one: str, other: str) -> int:
    """Return how many characters two texts share from their beginning."""
    ends = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(ends, min(len(one), len(other)))


def asks_for_tools(subject: Subject) -> bool:
    """Whether the spec asks for checks of tools."""
    spec = subject.spec
    return spec is not None and any("tool" in name for name in (*spec.checks, *spec.gates.groups))


def lost_severity(subject: Subject) -> Severity:
    """How bad lost text of tool calls is: an error where the spec asks for checks of tools."""
    return Severity.ERROR if asks_for_tools(subject) else Severity.WARNING


class ScanRule(Rule):
    """A rule on what a template is made of; it judges every template that parses."""

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject):
            return reason
        return "" if subject.renderings["scan"].text is not None else "the chat template can't be taken apart"


class ToolRule(TemplateRule):
    """A rule on how tool calls render; it judges only templates that render a tool, a call and its result."""

    def skip(self, subject: Subject) -> str:
        why = super().skip(subject)
        if why:
            return why
        if TOOL not in (subject.renderings["tools"].text or ""):
            return "the chat template has no tools"
        called = subject.renderings["called"].text or ""
        if VALUE not in called or RESULT not in called:
            return "the chat template does not render a call and its result"
        return ""
