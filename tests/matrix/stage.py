"""Where a case of the failure matrix is played, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.clients import TOKEN, Client, Done
from tests.matrix.hostile import Front, Hostile, Storage
from tests.matrix.models import gguf

SMALL, LARGE = 1 << 20, 24 << 20  # one request; several ranges at a time
REPO = "acme/model-GGUF"
FILE = "model-Q8_0.gguf"
PARTS = tuple(f"big-Q8_0-0000{part}-of-00003.gguf" for part in (1, 2, 3))


@dataclass
class Stage:
    """Where a case is played. ``files`` are what must come; ``notes`` is what else was seen, for people, ``faults`` what must not be."""

    hub: Hostile
    client: Client
    files: dict[str, bytes]
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def place(self) -> Path:
        """Return the final place of the first file."""
        name, content = next(iter(self.files.items()))
        return self.client.place(name, content)

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def must(self, condition: object, fault: str) -> None:
        if not condition:
            self.faults.append(fault)


Play = Callable[[Stage], Done]
Arrange = Callable[[Hostile], None]


@dataclass(frozen=True)
class Case:
    """One failure. ``right``: it must end in the right file, else with Assay's exit code ``code`` and a message that matches ``says``.

    ``storage`` and ``front`` are how the hub behaves: from the fetch on, or where ``early`` while the lock is made, too. ``sizes`` are
    those of the model that it is played with; ``peer`` is whether it means something for another client.
    """

    name: str
    right: bool = False
    code: int = 5
    says: str = ""
    storage: Callable[[Storage], bool] | None = None
    front: Callable[[Front], bool] | None = None
    early: bool = False
    sizes: tuple[int, ...] = (SMALL, LARGE)
    parts: bool = False
    reference: str = f"hf://{REPO}/{FILE}"
    token: bool = True
    arrange: Arrange | None = None
    play: Play | None = None
    peer: bool = True

    def files(self, size: int) -> dict[str, bytes]:
        """Return what is on the hub and must come."""
        if self.parts:
            return {name: gguf(size, seed=part, part=part, parts=3) for part, name in enumerate(PARTS)}
        return {FILE: gguf(size)}


def stage(case: Case, size: int, hub: Hostile, client: Client) -> Stage:
    """Set a case up: the hub with its model, the client aimed at it."""
    files = case.files(size)
    hub.add_token(TOKEN, hub.add_repo(REPO, files, license="apache-2.0"))
    if case.arrange:
        case.arrange(hub)
    client.aim(case.reference, hub.url, token=case.token)
    return Stage(hub, client, files)


def play(case: Case, stage: Stage) -> Done:
    """Play a case; returns how the decisive command ended."""
    if case.early:
        stage.hub.begin(case.storage, case.front)
    locked = stage.client.prepare()
    if locked.code != 0:
        stage.must(case.early, f"the lock could not be made: {locked.said}")
        return locked
    if not case.early:
        stage.hub.begin(case.storage, case.front)
    return case.play(stage) if case.play else stage.client.get()
