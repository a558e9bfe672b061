"""What else a server can be asked about a request: its prompt as text, its tokens, its answer under other conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.runtime.answer import Answer, Trouble
from pipeline.runtime.ask import ask, post


class NoAnswer(Exception):
    """The server could not say; ``trouble`` has why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.words)
        self.trouble = trouble


@dataclass(frozen=True)
class Probe:
    """Asks one server, at most ``timeout`` seconds at a time. Each method raises NoAnswer."""

    client: httpx.Client
    timeout: float

    def prompt(self, request: dict[str, Any]) -> str:
        """Return the prompt that the chat template makes of a request."""
        said = self._post("/apply-template", request)
        if not isinstance(said.get("prompt"), str):
            raise NoAnswer(Trouble("protocol", "/apply-template answers no prompt"))
        return str(said["prompt"])

    def tokens(self, text: str, *, special: bool = True) -> tuple[int, ...]:
        """Return the tokens of a text; with ``special``, texts of special tokens are read as such, as in a prompt."""
        said = self._post("/tokenize", {"content": text, "add_special": False, "parse_special": special})
        if not isinstance(said.get("tokens"), list):
            raise NoAnswer(Trouble("protocol", "/tokenize answers no tokens"))
        return tuple(said["tokens"])

    def ask(self, request: dict[str, Any]) -> Answer:
        """Return the answer to a request."""
        answer = ask(self.client, request, timeout=self.timeout)
        if answer.trouble:
            raise NoAnswer(answer.trouble)
        return answer

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        said = post(self.client, path, body, timeout=self.timeout)
        if isinstance(said, Trouble):
            raise NoAnswer(said)
        return said
