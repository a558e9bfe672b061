"""What a keeper tells: to the deployment log how something ended or did not come up, to its own log what it does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pipeline.core.errors import AssayError
from pipeline.core.project import Project
from pipeline.deploy.log import Event, Line, append, log_path


def tell(project: Project, action: str, line: Line, why: str, options: Mapping[str, Any]) -> str:
    """Add to the deployment log that what a line of it put into service failed or is out of service; returns why, and where it could
    not be recorded why not. Never raises for that: what can't be recorded must end all the same.
    """
    event = line.event
    ended = Event(
        event.name,
        action,
        event.target,
        event.lock,
        actor={**event.actor, "commit": None},
        engine=event.engine,
        hardware=event.hardware,
        options={**options, "entry": line.digest},
        reason=why,
    )
    try:
        append(log_path(project.state), ended, datetime.now(UTC))
    except (AssayError, OSError) as error:
        return f"{why}\nand it could not be recorded: {error}"
    return why


def note(text: str) -> None:
    """Write to the keeper's log. A full disk is no reason to stop serving."""
    with suppress(OSError):
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", flush=True)
