"""What every suite in ``evals/`` says of itself, whatever its kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]


class SuiteHead(BaseModel):
    """The head of a ``suite.yaml``; each kind adds its own keys."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    kind: Text
    version: Text
    description: str = ""
    license: Text
    source: Text
