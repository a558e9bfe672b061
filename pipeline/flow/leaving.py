"""Engines that were replaced, until their last request has ended."""

from __future__ import annotations

import time

from pipeline.core.errors import AssayError
from pipeline.deploy.door.beside import Beside
from pipeline.flow.backend import Backend
from pipeline.flow.telling import note

DRAIN_WITHIN = 600.0


class Leaving:
    """No new request reaches them; each is stopped when it is empty, or took too long, or its files changed."""

    def __init__(self) -> None:
        self._ones: list[tuple[Backend, float]] = []

    def __len__(self) -> int:
        return len(self._ones)

    def add(self, backend: Backend) -> None:
        """Let an engine end what it has."""
        self._ones.append((backend, time.monotonic() + DRAIN_WITHIN))

    def look(self, front: Beside) -> None:
        """Stop those whose time has come."""
        for one in list(self._ones):
            backend, until = one
            try:
                backend.look()
                stays = time.monotonic() < until and not front.idle(backend.upstream)
            except AssayError as error:
                note(error.message)
                stays = False
            if not stays:
                backend.stop()
                self._ones.remove(one)

    def stop(self) -> None:
        """Stop all."""
        for backend, _ in self._ones:
            backend.stop()
