"""Which repetitions count: a program that was kept waiting says nothing about how fast it is.

The rules are stated here and in the record. A repetition of a CPU-bound program counts only if its threads ran nearly
all the time: the share of CPU time tells the good from the bad, where a small spread alone does not (two threads that
take turns with a neighbour are slow, and steadily so). Time stolen by the hypervisor, waiting of others, and cores slowed
for heat speak against a repetition too. A server and its client rest between requests, so their share tells nothing: what
speaks against them is that one of their threads was ready to run and had no core, while others used the cores. (Where
there are not enough of them, they wait for one another; nobody waits for others longer than these run.)
Where a counter is missing, the rule that needs it is left out, and the repetition says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pipeline.bench.readings import TICK_SECONDS, Reading

Number = TypeVar("Number", int, float)

_HELD = "the CPU quota of its cgroup held it back"

LEAST_SHARE = 0.97
MOST_STOLEN = 0.02
MOST_WAITED = 0.03
MOST_PRESSURE = 0.10
# How many cores others may have used at most where the kernel's ticks are too coarse to tell.
MOST_BLUR = 0.10
# A quota is why something was kept waiting if it held it back for this much of that: cores are held back apart, and the
# kernel tells their sum only roughly (a thread that lacked half of the time, 56 % of that).
QUOTA_PART = 1 / 3
# The kernel sums up pressure every two seconds, and stolen time in ticks of 10 ms: over less they say nothing.
PRESSURE_SECONDS = 4.0
STOLEN_SECONDS = 0.5


@dataclass(frozen=True)
class Conditions:
    """How something ran. ``share``: CPU time / (wall time x threads); the other shares are of the wall time, ``waited``
    that of the thread that waited most for a core; ``others``: how many cores everything that was not measured used, the
    hypervisor's other machines included; ``held``: the share of the time for which the CPU quota of its cgroup held it
    back, summed over cores. Values are None where nobody tells, with the reason in ``missing``. ``against`` says what
    speaks against it; empty: it counts.
    """

    seconds: float
    share: float | None = None
    switches: int | None = None
    stolen: float | None = None
    pressure: dict[str, float] = field(default_factory=dict)
    throttled: int | None = None
    load: float | None = None
    mhz: float | None = None
    celsius: float | None = None
    joules: float | None = None
    waited: float | None = None
    others: float | None = None
    held: float | None = None
    against: tuple[str, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it counts."""
        return not self.against

    def over(self, seconds: float) -> Conditions:
        """Return the same conditions for a part of the time."""
        part = seconds / self.seconds if self.seconds else 0.0
        return replace(self, seconds=seconds, joules=None if self.joules is None else self.joules * part)

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON, numbers rounded to what they are worth."""
        rounded = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in vars(self).items()
            if name not in ("pressure", "against", "missing")
        }
        pressure = {kind: round(share, 4) for kind, share in self.pressure.items()}
        return {**rounded, "pressure": pressure, "against": list(self.against), "missing": dict(self.missing)}


def between(
    before: Reading,
    after: Reading,
    *,
    threads: int,
    offloaded: bool,
    steady: bool = True,
    beside: float | None = 0.0,
    working: float | None = None,
) -> Conditions:
    """Judge what ran between two readings on ``threads`` threads. ``offloaded``: a GPU did the work, and the CPU may
    wait. ``steady``: it had work all the time; where it had not, it may rest, but not wait for others. ``beside``: the CPU
    seconds of what was measured together with it; None where nobody tells. ``working``: for how many of the seconds it
    worked on all threads; for the rest, on one.
    """
    seconds = after.wall - before.wall
    resting = 0.0 if working is None else max(0.0, seconds - working)
    missing: dict[str, str] = {}
    cpu, switches = grown(before.cpu, after.cpu), grown(before.switches, after.switches)
    share = max(0.0, cpu - resting) / ((seconds - resting) * threads) if cpu is not None and seconds > resting else None
    if share is None:
        missing["share"] = "the system does not tell another process's CPU time"
    stolen, pressure = grown(before.stolen, after.stolen), dict[str, float]()
    if stolen is None or seconds < STOLEN_SECONDS:
        missing["stolen"] = "the system does not say" if stolen is None else f"shorter than {STOLEN_SECONDS:g} s"
        stolen = None
    else:  # of the time of the cores at work, of which one is taken to be at least
        stolen /= max(seconds, (grown(before.busy, after.busy) or 0.0) + stolen)
    if not after.pressure or seconds < PRESSURE_SECONDS:
        missing["pressure"] = f"shorter than {PRESSURE_SECONDS:g} s" if after.pressure else "the kernel does not say"
    else:
        then = dict(before.pressure)
        pressure = {kind: (total - then.get(kind, total)) / seconds for kind, total in after.pressure}
    throttled = grown(before.throttled, after.throttled)
    joules = grown(before.joules, after.joules)
    if joules is not None and joules < 0:  # the counter began anew
        joules = None
    sensors = {"throttled": throttled, "mhz": after.mhz, "celsius": after.celsius, "joules": joules}
    missing |= {name: "this machine has no such sensor" for name, value in sensors.items() if value is None}
    earlier = dict(before.waited)
    delays = [total - earlier.get(thread, 0.0) for thread, total in after.waited]
    waited = max(delays) / seconds if delays and seconds > 0 else None
    if waited is None:
        missing["waited"] = "the kernel does not say"
    others, blur = _others(before, after, None if cpu is None or beside is None else cpu + beside)
    if others is None:
        missing["others"] = "the system does not say how much its cores worked"
    held = grown(before.held, after.held)
    if held is None:
        missing["held"] = "no cgroup says"
    elif seconds > 0:
        held /= seconds
    alone = not steady and others is not None and others - blur <= MOST_WAITED
    against = []
    if share is not None and steady and not offloaded and share < LEAST_SHARE:
        why = _HELD if by_quota(held, (1 - share) * threads) else "something else used the cores"
        against.append(f"its threads ran {share:.0%} of the time: {why}")
    if waited is not None and not steady and waited > MOST_WAITED and not alone:
        whom = "something else used the cores" if others is not None else "nobody knows for whom"
        why = _HELD if by_quota(held, waited) else whom
        against.append(f"one of its threads waited for a core {waited:.0%} of the time: {why}")
    if stolen is not None and stolen > MOST_STOLEN:
        against.append(f"the hypervisor gave {stolen:.0%} of the time to others")
    if (stalled := pressure.get("memory", 0.0)) > MOST_PRESSURE:
        against.append(f"memory was short {stalled:.0%} of the time")
    if (stalled := pressure.get("cpu", 0.0)) > MOST_PRESSURE and not offloaded and not alone:
        against.append(f"tasks waited for a core {stalled:.0%} of the time")
    if throttled:
        against.append(f"cores were slowed for heat {throttled} times")
    return Conditions(
        *(seconds, share, switches, stolen, pressure, throttled, after.load, after.mhz, after.celsius, joules, waited),
        others,
        held,
        against=tuple(against),
        missing=missing,
    )


def by_quota(held: float | None, missing: float) -> bool:
    """Tell whether a quota is why something was kept waiting, for ``missing`` of the time."""
    return held is not None and held > MOST_WAITED and held >= QUOTA_PART * missing


def _others(before: Reading, after: Reading, own: float | None) -> tuple[float | None, float]:
    """Return how many cores were used by what is not measured, and how far off that may be, ``MOST_BLUR`` at most: at each
    tick the kernel looks whether a core works or rests, so the error is that of as many draws, and of rounding to ticks.
    """
    seconds, busy, idle = after.wall - before.wall, grown(before.busy, after.busy), grown(before.idle, after.idle)
    if own is None or busy is None or idle is None or seconds <= 0:
        return None, 0.0
    if busy < 0 or idle < 0 or not busy + idle:  # a core was taken away, or the machine slept
        return None, 0.0
    stolen = grown(before.stolen, after.stolen) or 0.0
    blur = 2 * (math.sqrt(busy / TICK_SECONDS * idle / (busy + idle)) + 1) * TICK_SECONDS
    return max(0.0, busy + stolen - own) / seconds, min(MOST_BLUR, blur / seconds)


def grown(before: Number | None, after: Number | None) -> Number | None:
    """Return by how much a counter grew; None where it was not told."""
    return None if before is None or after is None else after - before
