"""Render chat templates on many conversations at once, in a child process that can neither hang nor eat the machine."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.lint.renderers import Answer, ask

MEMORY_BYTES = 512 << 20
CPU_SECONDS = 3
WALL_SECONDS = 30.0
MAX_TEMPLATE = 4 << 20


@dataclass(frozen=True)
class Rendering:
    """A prompt (``text``), or why there is none. ``kind`` is "" for a prompt, else ``syntax`` (does not parse),
    ``raised``, ``limit`` (too much time, memory or text) or ``unknown`` (not tried, as one before it exhausted the
    limits). Line and column count from 1.
    """

    text: str | None = None
    kind: str = ""
    error: str = ""
    line: int = 0
    column: int = 0

    @property
    def where(self) -> str:
        """The position as findings give it."""
        return f"chat_template:{self.line}:{self.column}" if self.line else "chat_template"


@dataclass(frozen=True)
class Job:
    """One rendering: the name of a template, and the variables it gets."""

    template: str
    context: Mapping[str, Any]


def render_all(templates: Mapping[str, str], jobs: Sequence[Job], *, cpu: int = CPU_SECONDS) -> list[Rendering]:
    """Render every job; one that can't be rendered says why. ``cpu`` bounds the whole batch's CPU seconds."""
    if (size := sum(map(len, set(templates.values())))) > MAX_TEMPLATE:
        return [Rendering(kind="limit", error=f"the template has {size} characters, of at most {MAX_TEMPLATE}")] * len(
            jobs
        )
    request = {
        "templates": dict(templates),
        "jobs": [{"template": job.template, "context": dict(job.context)} for job in jobs],
        "memory": MEMORY_BYTES,
        "cpu": cpu,
    }
    answer = ask(json.dumps(request).encode(), WALL_SECONDS)
    answers = [json.loads(line) for line in answer.lines]
    fatal = answers.pop()["fatal"] if answers and "fatal" in answers[-1] else ""
    found = [_rendering(templates[job.template], item) for job, item in zip(jobs, answers, strict=False)]
    if len(found) < len(jobs):
        found.append(Rendering(kind="limit", error=_end(answer, fatal, cpu)))
    return found + [Rendering(kind="unknown", error="not tried: an earlier conversation exhausted the limits")] * (
        len(jobs) - len(found)
    )


def _end(answer: Answer, fatal: str, cpu: int) -> str:
    if answer.late:
        return f"rendering took more than {WALL_SECONDS:.0f} s"
    if answer.status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"rendering took more than {cpu} s of CPU time"
    return f"the renderer ended with status {answer.status}: {fatal or 'no message'}"


def _rendering(template: str, answer: dict[str, Any]) -> Rendering:
    if "text" in answer:
        return Rendering(text=answer["text"])
    line = answer["line"]
    return Rendering(
        kind=answer["kind"], error=answer["error"], line=line, column=_column(template, line, answer["error"])
    )


def _column(template: str, line: int, error: str) -> int:
    """Find the column in a line; jinja2 knows lines only. The message often quotes the text at fault; else it is the
    line's first.
    """
    lines = template.splitlines()
    if not 1 <= line <= len(lines):
        return 0
    text = lines[line - 1]
    for near in (*re.findall(r"'([^']+)'", error), "raise_exception"):
        if near in text:
            return text.index(near) + 1
    return len(text) - len(text.lstrip()) + 1
