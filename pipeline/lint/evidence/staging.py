"""Where each line is said: a prompt of a length of its own for every script, since a playback goes by positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import httpx

from pipeline.core.errors import EngineError
from pipeline.lint.evidence.lines import TOOLS
from pipeline.lint.evidence.scenes import Scene
from pipeline.lint.probes import USER
from pipeline.runtime.ask import post
from pipeline.runtime.script import Script

WITHIN = 10.0
PAD = "so "
FILLER = " on"
AFTER = 4
"""Tokens of filler after each script: what an answer that does not end goes on with."""
LONGEST = 4000
"""Prompts beyond so many tokens are not played."""


class Prompter:
    """Asks a server for prompts and their tokens; it has the file's template and vocabulary, whatever its body. Raises
    EngineError when it does not answer.
    """

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def prompt(self, messages: list[dict[str, Any]], tools: bool, *, asked: bool = True) -> str:
        """Return the prompt for a conversation, "" where there is none; without ``asked``, no answer is asked for."""
        body = self.body(messages, tools) | ({} if asked else {"add_generation_prompt": False})
        return str(self._post("/apply-template", body).get("prompt", ""))

    def body(self, messages: list[dict[str, Any]], tools: bool) -> dict[str, Any]:
        return {"messages": messages, **({"tools": TOOLS} if tools else {})}

    def tokens(self, text: str, *, whole: bool = True) -> list[int]:
        """Return a text's tokens; ``whole`` adds what the model adds."""
        body = {"content": text, "add_special": whole, "parse_special": True}
        return list(self._post("/tokenize", body).get("tokens", ()))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        said = post(self.client, path, body, timeout=WITHIN)
        if isinstance(said, dict):
            return said
        if said.grade in ("timeout", "server_crash"):  # and so would all that is asked after it
            raise EngineError(said.words)
        return {}


class Staging:
    """Gives scenes their places; ``missing`` says of those left out why."""

    def __init__(self, prompter: Prompter) -> None:
        self.prompter = prompter
        self.missing: dict[str, str] = {}

    def placed(self, scenes: Sequence[Scene]) -> list[Scene]:
        """Give each scene a prompt of a length of its own, so that none speaks at another's places. Those that say the same
        share one.
        """
        found: dict[tuple[bool, str, bool], Scene] = {}
        filler, free = (self.prompter.tokens(FILLER, whole=False)[-1:] or [0]) * AFTER, 0
        placed = []
        for scene in sorted(scenes, key=lambda scene: scene.tools):
            same = (scene.tools, scene.text, len(scene.calls) > 1)
            if same not in found:
                one = self._place(scene, free, filler)
                if one is None:
                    self.missing[scene.name] = "its prompt can't be given a length of its own"
                    continue
                found[same] = one
                free = one.script.places.stop
            placed.append(self._limited(replace(found[same], name=scene.name, whole=scene.whole)))
        return placed

    def _place(self, scene: Scene, free: int, filler: list[int]) -> Scene | None:
        """Pad the question until the prompt has more than ``free`` tokens."""
        least, rate = self._rate(scene.tools)
        pads = max(0, math.ceil((free + 1 - least) / rate)) if rate else 0
        for _ in range(3):
            messages = [{"role": "user", "content": PAD * pads + USER}]
            prompt = self.prompter.prompt(messages, scene.tools)
            before = self.prompter.tokens(prompt)
            if not before or len(before) > LONGEST:
                return None
            if len(before) > free:
                said = self._said(prompt, before, scene.text)
                script = Script(len(before), (*said, *filler))
                return replace(scene, script=script, body=self.prompter.body(messages, scene.tools)) if said else None
            pads += free + 1 - len(before)
        return None

    @cache  # noqa: B019 - a rehearsal is short
    def _rate(self, tools: bool) -> tuple[int, float]:
        """Return how many tokens a prompt has without padding, and how many each word of it adds."""
        least, more = (
            len(self.prompter.tokens(self.prompter.prompt([{"role": "user", "content": PAD * pads + USER}], tools)))
            for pads in (0, 32)
        )
        return least, (more - least) / 32

    def _limited(self, scene: Scene) -> Scene:
        """Say how much of it may be said: all and some filler, or half of its argument or thought."""
        said = len(scene.script.tokens) - AFTER
        most = said + AFTER if scene.whole else self._cut(scene, said)
        body = {**scene.body, "max_tokens": most, "temperature": 0, "samplers": ["top_k"], "top_k": 1}
        return replace(scene, body=body | ({"parallel_tool_calls": True} if len(scene.calls) > 1 else {}))

    def _cut(self, scene: Scene, said: int) -> int:
        """Return where a line is cut short: in the middle of its argument or of its thought."""
        word = scene.thought if not scene.calls else next(iter(scene.calls[0][1].values()))
        share = (scene.text.index(str(word)) + len(str(word)) / 2) / len(scene.text)
        return max(2, min(said - 2, round(share * said)))

    def _said(self, prompt: str, before: list[int], text: str) -> list[int]:
        """Return a text's tokens as they follow a prompt."""
        both = self.prompter.tokens(prompt + text)
        if both[: len(before)] == before:
            return both[len(before) :]
        return self.prompter.tokens(text, whole=False)
