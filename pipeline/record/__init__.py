"""The record: results, appended and never changed, in one DuckDB file. ``Record`` gives them as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.record.frames import Record

__all__ = ["Record"]


def __getattr__(name: str) -> Any:
    """Import ``Record`` when it is asked for: DuckDB and pandas are slow to import, and most of Assay needs neither."""
    if name == "Record":
        from pipeline.record.frames import Record

        return Record
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
