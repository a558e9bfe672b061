"""Subjects whose playback is known: the sound model's, played once, and takes made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.lint.evidence.scenes import Played, Scene, Take
from pipeline.lint.subject import Subject
from pipeline.runtime.answer import Answer, Call
from pipeline.runtime.build import EngineBuild
from tests.lint.subjects import sound

END = "<|im_end|>"
CALL = ("quern_lookup", {"quern_place": "Quernville"})
CAME = Call("id1", "quern_lookup", '{"quern_place": "Quernville"}')


_PLAYED: dict[Path, Subject] = {}


def played_sound(engine: EngineBuild) -> Subject:
    """The embedded model with an engine to ask; it is played once for all tests."""
    return _PLAYED.setdefault(engine.server, replace(sound(), engine=engine))


def scene(name: str = "answer", **parts: Any) -> Scene:
    """A line that says "Fine", and ends."""
    usual = Scene(name, "Fine" + END, END, content="Fine", thought="", calls=(), tools=False)
    return replace(usual, **parts)


def take(of: Scene, answer: Answer | None = None, *, streamed: Answer | None = None, died: bool = False) -> Take:
    """A take whose answer is what the scene wants, or another."""
    calls = tuple(replace(CAME, id=f"id{at}") for at, _ in enumerate(of.calls))
    finish = "length" if not (of.whole and of.ended) else "tool_calls" if calls else "stop"
    whole = answer or Answer(of.content, of.thought, calls, finish, 8)
    return Take(of, whole, streamed or whole, died)


def subject_that_played(
    *takes: Take, left_out: Mapping[str, str] | None = None, engine: EngineBuild | None = None
) -> Subject:
    """The embedded model with a playback made by hand."""
    subject = replace(sound(), engine=engine)
    found = Played(takes={one.scene.name: one for one in takes}, left_out=left_out or {})
    subject.__dict__["played"] = found
    return subject
