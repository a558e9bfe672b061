"""What a kind of eval is: a module with the members of ``Kind``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, StringConstraints

from pipeline.core.progress import Progress
from pipeline.evals.model import Item, Metric

Text = Annotated[str, StringConstraints(min_length=1)]
File = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Measured = tuple[tuple[Metric, ...], tuple[Item, ...]]
Needs = Literal["scorer", "server"]


class Suite(BaseModel):
    """What every ``suite.yaml`` says of itself. ``version`` changes with the data; ``license`` is an SPDX id;
    ``source`` says who made the data, and how; ``description`` what the score tells."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: str
    version: Text
    license: Text
    source: Text
    description: Text


class Kind(Protocol):
    """A module of ``evals/kinds``. ``Config`` extends ``Suite`` with the kind's own keys, ``kind`` a Literal of the
    module's name; ``EXAMPLE`` is a valid one as a mapping. ``NEEDS`` says what ``measure`` is given: ``scorer``, a
    ``runtime.binding.Scorer`` for log-likelihoods, or ``server``, a ``runtime.serving.Serving``, the locked
    llama-server. A kind whose items have lower scores where the model is better says ``LOWER_IS_BETTER = True``.

    A kind that compares a model with its reference says ``REFERENCE = True`` and has ``prepare(config, data, scorer,
    progress)``, which is given a scorer of the reference; what it returns is the data of ``measure``."""

    Config: type[Suite]
    EXAMPLE: dict[str, Any]
    NEEDS: Needs

    def load(self, config: Any, folder: Path) -> Any:
        """Read the suite's data. Raises SpecError with every fault, each with file and line."""

    def measure(self, config: Any, data: Any, needed: Any, progress: Progress) -> Measured:
        """Score a model on the data, with what ``NEEDS`` names. Raises UsageError where data and model don't fit,
        EngineError when llama.cpp fails."""
