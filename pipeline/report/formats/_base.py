"""What a format is: a module with a file suffix (without its dot) and one function."""

from __future__ import annotations

from typing import Protocol

from pipeline.report.model import Report


class Format(Protocol):
    """A module of this package whose name doesn't begin with ``_``. ``WRITTEN``: ``assay report`` writes it for every model;
    the others are printed when they are asked for.
    """

    SUFFIX: str
    WRITTEN: bool

    def render(self, report: Report) -> str:
        """Return the report as text. Everything that comes from a model or a file is hostile."""
