"""What the real llama-server makes of what a template's model would write, played by a body that says just that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import EngineError
from pipeline.core.scratch import scratch
from pipeline.gguf.types import TokenType
from pipeline.gguf.values import Array
from pipeline.lint.evidence.hollow import exhausting
from pipeline.lint.evidence.manner import Marks
from pipeline.lint.evidence.rehearsal import Rehearsal
from pipeline.lint.evidence.scenes import Played, Scene, Take
from pipeline.lint.evidence.staging import Prompter, Staging
from pipeline.lint.model import UNASKED
from pipeline.runtime.answer import Answer, Trouble
from pipeline.runtime.ask import ask, ask_stream, healthy
from pipeline.runtime.hollow import serving, why_not, write_hollow
from pipeline.runtime.playback import write_playback

if TYPE_CHECKING:
    from pipeline.lint.subject import Subject
    from pipeline.runtime.build import EngineBuild

Way = Callable[..., Answer]
SLOTS = 4
READY_WITHIN, ANSWER_WITHIN = 60.0, 20.0
RESTARTS = 4


def play(subject: Subject) -> Played:
    """Learn the scripts from the template, write the model that says them, and ask for each line twice, whole and
    streamed.
    """
    engine = subject.engine
    if engine is None:
        return Played(missing="there is no engine to ask")
    if not subject.template:
        return Played(missing="there is no chat template")
    if reason := why_not(subject.header):
        return Played(missing=reason)
    reading = subject.spoken.reading
    if reading is None:
        return Played(missing=subject.spoken.missing or "the engine does not read the vocabulary")
    if reason := exhausting(subject):
        return Played(missing=reason)
    if subject.served.refusal:  # it would be refused again, or waited for again
        return Played(missing="llama-server does not start with the template")
    ends = {subject.vocabulary.text(number) or "" for number in reading.ends} - {""}
    with scratch() as folder:
        stage = _Stage(subject, engine, folder)
        try:
            return stage.play(Marks(ends, _control(subject)))
        except EngineError as error:
            return Played(missing=f"{UNASKED}{error.message.splitlines()[0]}")


def _control(subject: Subject) -> frozenset[str]:
    types = subject.header.metadata.get("tokenizer.ggml.token_type")
    numbers = (
        [number for number, kind in enumerate(types) if kind == TokenType.CONTROL] if isinstance(types, Array) else []
    )
    return frozenset(subject.vocabulary.text(number) or "" for number in numbers)


class _Stage:
    def __init__(self, subject: Subject, engine: EngineBuild, folder: Path) -> None:
        self.subject, self.engine, self.folder = subject, engine, folder
        self.template: Path | None = None
        if subject.template != subject.facts.chat_template:
            self.template = folder / "template.jinja"
            self.template.write_text(subject.template or "", encoding="utf-8", newline="")

    def play(self, marks: Marks) -> Played:
        hollow, path = self.folder / "hollow.gguf", self.folder / "playback.gguf"
        write_hollow(self.subject.header, hollow)
        with serving(self.engine, hollow, template=self.template, ready_within=READY_WITHIN) as server:
            prompter = Prompter(server.client)
            rehearsal, staging = Rehearsal(prompter, self.subject, marks), Staging(prompter)
            scenes = staging.placed(list(rehearsal.scenes()))
        left_out = {**rehearsal.missing, **staging.missing}
        if not scenes:
            return Played(missing=next(iter(left_out.values()), "no line can be played"), left_out=left_out)
        last = max(scene.script.places.stop for scene in scenes)
        self.context = -(-(last + 64) // 256) * 256
        try:
            write_playback(self.subject.header, path, [scene.script for scene in scenes], self.context)
        except ValueError as error:
            return Played(missing=f"the lines can't be written as a model: {error}", left_out=left_out)
        takes = self._takes(path, scenes)
        for name, take in list(takes.items()):
            if reason := _unheard(take):
                left_out[name] = reason
                del takes[name]
        return Played(takes=takes, left_out=left_out)

    def _takes(self, path: Path, scenes: Sequence[Scene]) -> dict[str, Take]:
        """Ask for everything at once; where the server dies, ask again one by one to see what kills it."""
        found, again = self._perform(path, scenes), list[Scene]()
        if any(take.died for take in found):
            again = [take.scene for take in found if _broken(take)][:RESTARTS]
            found = [take for take in found if not _broken(take)]
        for scene in again:
            found += self._perform(path, [scene])
        return {take.scene.name: take for take in found}

    def _perform(self, path: Path, scenes: Sequence[Scene]) -> list[Take]:
        with (
            serving(
                self.engine,
                path,
                template=self.template,
                context=self.context,
                slots=SLOTS,
                stop=tuple(self.subject.spec.chat.stop) if self.subject.spec else (),
                ready_within=READY_WITHIN,
            ) as server,
            ThreadPoolExecutor(SLOTS) as pool,
        ):
            late = threading.Event()

            def put(way: Way, scene: Scene) -> Answer:
                if late.is_set():
                    return Answer(trouble=Trouble("timeout", "an answer before it did not come in time"))
                if not server.alive():  # connecting would leave a socket open
                    return Answer(trouble=Trouble("server_crash", "the server is gone"))
                answer = way(server.client, dict(scene.body), timeout=ANSWER_WITHIN)
                if _is(answer, "timeout"):
                    late.set()
                return answer

            jobs = [pool.submit(put, way, scene) for scene in scenes for way in (ask, ask_stream)]
            answers = [job.result() for job in jobs]
            died = not (server.alive() and healthy(server.client))
        pairs = zip(answers[::2], answers[1::2], strict=True)
        takes = [Take(scene, whole, streamed) for scene, (whole, streamed) in zip(scenes, pairs, strict=True)]
        return [replace(take, died=died and _broken(take)) for take in takes]


def _broken(take: Take) -> bool:
    return any(_is(answer, "server_crash") for _, answer in take.answers)


def _is(answer: Answer, trouble: str) -> bool:
    return answer.trouble is not None and answer.trouble.grade == trouble


def _unheard(take: Take) -> str:
    """Say why a take shows nothing: an answer took too long, or the server saw another prompt than the one that was
    measured.
    """
    for _, answer in take.answers:
        if answer.trouble and answer.trouble.grade == "timeout":
            return f"{UNASKED}{answer.trouble.words}"
    body = take.whole.raw.get("body")
    usage = body.get("usage") if isinstance(body, dict) else None
    seen = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if isinstance(seen, int) and seen != take.scene.script.prompt:
        return f"its prompt has {seen} tokens where {take.scene.script.prompt} were counted"
    return ""
