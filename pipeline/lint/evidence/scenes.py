"""A playback as data: the scenes, and how the server gave each. What makes them is in ``playback``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.lint.evidence.lines import Wish
from pipeline.runtime.answer import Answer
from pipeline.runtime.script import Script


@dataclass(frozen=True)
class Scene:
    """One line on stage: what is said (``text``, ``end`` its last part), what the server must make of it, and the request.

    ``whole`` is false for a line that is cut short, ``ended`` for one that is said without its end. ``guessed``: how it thinks
    is not shown by the template.
    """

    name: str
    text: str
    end: str
    content: str
    thought: str
    calls: tuple[Wish, ...]
    tools: bool
    whole: bool = True
    ended: bool = True
    guessed: bool = False
    script: Script = field(default_factory=lambda: Script(1, ()))
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Take:
    """A scene as the server gave it, whole and streamed; ``died`` says that it killed the server."""

    scene: Scene
    whole: Answer
    streamed: Answer
    died: bool = False

    @property
    def answers(self) -> tuple[tuple[str, Answer], ...]:
        """Both answers, with words for how they came."""
        return ("", self.whole), ("streamed: ", self.streamed)


@dataclass(frozen=True)
class Played:
    """All takes by their scenes' names, or why there are none (``missing``); ``left_out`` says why some are not among
    them.
    """

    missing: str = ""
    takes: Mapping[str, Take] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
