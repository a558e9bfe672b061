"""Licences that are given as text: how those that we know begin."""

from __future__ import annotations

import re

_BEGINNINGS = (
    (re.compile(r"\s*apache license\s+version 2\.0\b", re.IGNORECASE), "apache-2.0"),
    (re.compile(r"\s*(the )?mit license\b", re.IGNORECASE), "mit"),
)


def license_of(text: str) -> str | None:
    """Return the SPDX id, in lower case, of a licence by its first lines; None for one that is not known."""
    return next((name for pattern, name in _BEGINNINGS if pattern.match(text)), None)
