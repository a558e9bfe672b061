"""What the log says of one deployment: what should run now, and what ran before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.errors import UsageError
from pipeline.deploy.log import Line


class Wish(StrEnum):
    """What a deployment should be, by the log."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True)
class Standing:
    """``wish`` is what should be, ``line`` the line that said so last; ``stack`` holds the lines that put something into service, each
    going back behind what a rollback took away; the last is what runs, or ran last.
    """

    wish: Wish
    line: Line
    stack: tuple[Line, ...]

    @property
    def now(self) -> Line | None:
        """What was put into service last."""
        return self.stack[-1] if self.stack else None


_WISHES = {
    "deploy": Wish.RUNNING,
    "rollback": Wish.RUNNING,
    "stop": Wish.STOPPED,
    "failed": Wish.FAILED,
    "out-of-service": Wish.OUT_OF_SERVICE,
}


def standing(lines: Sequence[Line]) -> Standing:
    """Return what the lines on one deployment, oldest first and at least one, come to.

    What failed before it ever answered is no state to go back to, and it changes nothing where what ran before it still serves; a
    rollback takes away what it goes back behind. An end of something that is no longer what should run changes nothing either.
    """
    stack, wish = tuple[Line, ...](), _WISHES[lines[0].event.action]
    before = dict[str, tuple[Line, ...]]()
    for line in lines:
        action, options = line.event.action, line.event.options
        top = stack[-1].digest if stack else ""
        entry = str(options.get("entry", top))
        if action in ("deploy", "rollback"):
            before[line.digest] = stack
            stack = (*(_behind(stack, line) if action == "rollback" else stack), line)
        elif entry != top:
            stack = tuple(one for one in stack if one.digest != entry or not _never(line))
            continue
        elif action == "failed" and _never(line):
            stack = before.get(entry, ())
            if options.get("serving"):
                continue
        wish = _WISHES[action]
    return Standing(wish, lines[-1], stack)


def _behind(stack: tuple[Line, ...], line: Line) -> tuple[Line, ...]:
    """Return what is left when a rollback goes back to a line."""
    places = [place for place, one in enumerate(stack) if base_of(one) == base_of(line)]
    return stack[: places[-1] if places else len(stack)]


def base_of(line: Line) -> str:
    """Return the digest of the line that was deployed first, of which this one may be a repetition."""
    return str(line.event.options.get("of", line.digest))


def back(found: Standing, steps: int) -> Line:
    """Return what ran ``steps`` deployments before the last; one that never answered counts as the last. Raises UsageError when there
    weren't so many.
    """
    before = found.stack if found.wish is Wish.FAILED and _never(found.line) else found.stack[:-1]
    if not 1 <= steps <= len(before):
        said = f"{found.line.event.name} can't go back {steps}: {len(before)} earlier on record"
        raise UsageError(said, hint="see what ran: assay audit NAME")
    return before[-steps]


def _never(line: Line) -> bool:
    """Tell whether a line is the end of something that never answered."""
    return bool(line.event.options.get("never_answered"))
