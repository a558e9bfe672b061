"""The log of a bug: everything that a report needs, and no secret."""

from __future__ import annotations

import os
import platform
import re
import shlex
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from pipeline import __version__

_SECRETS = (
    re.compile(r"(?<=://)[^/\s@'\"]+(?=@)"),  # user:password@host
    re.compile(r"(?i)(?<=bearer )[^\s'\"]+"),
    re.compile(r"(?i)(?<=[?&])(?:token|key|sig|signature|x-amz-\w+)=[^\s&'\"]+"),
    re.compile(r"\b(?:assay-|hf_|sk-|ghp_|github_pat_)[\w-]{16,}"),
)


def write(error: BaseException, arguments: list[str]) -> tuple[Path, str]:
    """Write a log that can be pasted into a report, readable by its owner alone; returns its path and the reason in a
    line.
    """
    now = datetime.now(UTC)
    handle, path = tempfile.mkstemp(prefix=f"assay-bug-{now:%Y%m%dT%H%M%S}-", suffix=".log")
    trace = "".join(traceback.format_exception(error))
    versions = f"assay {__version__}, Python {platform.python_version()}, {platform.platform()}"
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC\n{versions}\nassay {shlex.join(arguments)}\n\n{trace}"
    with os.fdopen(handle, "w") as log:
        log.write(without_secrets(text))
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return Path(path), without_secrets(reason)


def without_secrets(text: str) -> str:
    """Return ``text`` with whatever looks like a password, a key or a signature taken out."""
    for pattern in _SECRETS:
        text = pattern.sub("…", text)
    return text
