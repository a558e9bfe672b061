"""How server and client fared while requests were answered: who was kept waiting measures the machine's other work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.bench.readings import Reading, read
from pipeline.bench.validity import Conditions, between, by_quota, grown

# The share of the time for which server and client may wait for a core, and not for others, before it is said.
CROWDED = 0.1


@dataclass(frozen=True)
class Fared:
    """How both fared; None where nobody looked."""

    server: Conditions | None = None
    client: Conditions | None = None

    @property
    def against(self) -> tuple[str, ...]:
        """What speaks against the figures; empty: they count."""
        sides = (("the server", self.server), ("the client", self.client))
        return tuple(f"{name}: {reason}" for name, side in sides if side for reason in side.against)

    @property
    def waited(self) -> float:
        """The share of the time for which that thread of either waited for a core that waited most; 0 where nobody tells."""
        return max((side.waited or 0.0 for side in (self.server, self.client) if side), default=0.0)

    @property
    def crowded(self) -> str:
        """Say for how long they waited for one another, where that counts and is long; "" elsewhere."""
        if self.against or self.waited <= CROWDED:
            return ""
        sides = [side for side in (self.server, self.client) if side]
        if any(by_quota(side.held, self.waited) for side in sides):
            return (
                f"the CPU quota of their cgroup held them back: server or client waited {self.waited:.0%} of the time"
            )
        return f"there are too few cores: server or client waited {self.waited:.0%} of the time, and not for others"

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        sides = {"server": self.server, "client": self.client}
        return {name: side.content() for name, side in sides.items() if side}


Moment = tuple[Reading, Reading]


class Looker(Protocol):
    """Who looks before and after."""

    def now(self) -> Moment:
        """Return the readings of server and client."""

    def since(self, moment: Moment) -> Fared:
        """Return how they fared since then."""


@dataclass(frozen=True)
class Witness:
    """Looks at the server ``pid``, which computes on ``threads`` threads, and at this process, its client. Where they have
    too few cores, they wait for one another, which is a part of the measurement and not held against it.
    """

    pid: int
    threads: int
    offloaded: bool = False

    def now(self) -> Moment:
        """Return the readings of server and client."""
        return read(self.pid), read(os.getpid())

    def since(self, moment: Moment) -> Fared:
        """Return how they fared since then."""
        after = self.now()
        server, client = (grown(one.cpu, two.cpu) for one, two in zip(moment, after, strict=True))
        return Fared(
            between(moment[0], after[0], threads=self.threads, offloaded=self.offloaded, steady=False, beside=client),
            between(moment[1], after[1], threads=1, offloaded=False, steady=False, beside=server),
        )
