"""A quality suite: a folder with a ``suite.yaml`` and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from pipeline.core.digest import Digest
from pipeline.core.kinds import discover
from pipeline.core.plugins import EVAL_KINDS, Kinds
from pipeline.evals.kinds._base import Kind, Suite


@dataclass(frozen=True)
class EvalSuite:
    """A suite, read and checked. ``digest`` covers every file in its folder."""

    name: str
    folder: Path
    config: Suite
    data: Any
    digest: Digest

    @property
    def kind(self) -> str:
        return self.config.kind


@cache
def kinds() -> Mapping[str, Kind]:
    """Return the kinds of eval by name, those of other packages included (entry points of ``assay.eval_kinds``)."""
    return Kinds(discover("pipeline.evals.kinds"), EVAL_KINDS, ("Config", "EXAMPLE", "NEEDS", "load", "measure"))


class Head(BaseModel):
    """The key that says how to read the rest."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    kind: str


def head() -> type[Head]:
    """Return ``Head`` with ``kind`` narrowed to the kinds there are."""
    known: Any = Literal[tuple(kinds())]
    return create_model("Head", __base__=Head, kind=(known, ...))
