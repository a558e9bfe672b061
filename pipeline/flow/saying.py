"""What a keeper says of itself, in its state file and its log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.deploy.state import State, write_state
from pipeline.deploy.switch import clear_switch, pending
from pipeline.flow.telling import note


@dataclass
class Notice:
    """``state`` as it is; ``folder`` holds the file. What a full disk does not take is written again until it does, and only then is a
    switch settled, so that nobody reads of its outcome what was so before it.
    """

    folder: Path
    name: str
    state: State
    _late: bool = False
    _settled: bool = False

    @property
    def asked(self) -> bool:
        """Whether a switch is asked for."""
        return not self._settled and pending(self.folder)

    def say(self, phase: str, **changes: object) -> None:
        """Change the state, and tell."""
        self.state = self.state.now(phase, **changes)
        note(f"{self.name} {phase}{f': {self.state.reason}' if self.state.reason else ''}")
        self._late = True
        self.catch_up()

    def settle(self) -> None:
        """What was asked for is done, or failed."""
        self._settled = self._late = True
        self.catch_up()

    def catch_up(self) -> None:
        """Write what was not written yet."""
        if not self._late:
            return
        with suppress(OSError):
            write_state(self.folder, self.state)
            if self._settled:
                clear_switch(self.folder)
            self._late = self._settled = False
