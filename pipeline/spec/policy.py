"""The catalog's policy, ``specs/policy.yaml``: what every model must show, whatever its own spec asks. Specs can only
tighten it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from pipeline.core.project import Project
from pipeline.spec.gates import Groups, Limit
from pipeline.spec.load import read_model
from pipeline.spec.parts import DAY, Part, Strings

POLICY = "policy"
Globs = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(strict=False, min_length=1)]
Schemes = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9+.-]+$")], ...], Field(strict=False)]
Severity = Literal["none", "info", "warning", "error"]


class Licenses(Part):
    """Licences of the catalog."""

    allow: Strings = Field(default=(), description="SPDX ids; empty: any.")
    required: bool = Field(default=False, description="Whether a model without a declared licence is rejected.")


class Provenance(Part):
    """Where models may come from."""

    sources: Schemes = Field(default=(), description="Schemes of sources, for instance `hf` and `file`; empty: any.")
    known: Annotated[tuple[Literal["spec", "published", "computed"], ...], Field(strict=False)] = Field(
        default=(), description="How the digests of the weights may have come to be known; empty: any way."
    )


class Bound(Part):
    """Bounds on a metric, for some models."""

    metric: str = Field(description="`suite.metric` or `bench.metric`, with `@test` for one setting.")
    models: Globs = Field(default=("*",), description="Names of models; `*` stands for any text.")
    limit: Limit = Field(description="Its bounds, as in a spec's gates.")


class Against(Part):
    """A suite that must not do worse than the model's accepted baseline, item by item."""

    suite: str = Field(description="An eval or check suite that the spec names.")
    models: Globs = Field(default=("*",), description="Names of models; `*` stands for any text.")
    worse_by: float = Field(
        default=0.0,
        ge=0,
        description="The smallest loss that counts, in the suite's unit: a smaller one is accepted, shown or not.",
    )
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="How likely chance may be to look like a loss.")
    items: int = Field(default=1, gt=0, description="The least number of pairs that may decide.")
    inconclusive: Literal["unknown", "pass", "fail"] = Field(
        default="unknown", description="The verdict where there is no baseline, or the two can't be compared."
    )


class Accepted(Part):
    """An exception: a rule that a model may break, for a reason and, better, for a time."""

    models: Globs = Field(description="Names of models; `*` stands for any text.")
    rule: str = Field(min_length=3, description="The rule as `assay gate` prints it; `*` stands for any text.")
    owner: str = Field(min_length=1, description="Who answers for it.")
    reason: Annotated[str, StringConstraints(min_length=3)] = Field(description="Why it is acceptable.")
    until: Annotated[str, StringConstraints(pattern=DAY)] | None = Field(
        default=None, description="The last day on which it is (`2026-12-31`)."
    )


class Policy(Part):
    """What every model of the catalog must show."""

    mode: Literal["off", "warn", "enforce"] = Field(
        default="enforce", description="`warn` shows what the policy says and rejects nothing for it."
    )
    license: Licenses = Licenses()
    provenance: Provenance = Provenance()
    lint: Severity | None = Field(default=None, description="The worst severity that any spec may allow.")
    checks: Groups = Field(default=(), description="Groups of check cases that every chat model must pass.")
    metrics: Annotated[tuple[Bound, ...], Field(strict=False)] = Field(default=(), description="Bounds on metrics.")
    baseline: Annotated[tuple[Against, ...], Field(strict=False)] = Field(
        default=(), description="Suites that must not do worse than the accepted baseline."
    )
    exceptions: Annotated[tuple[Accepted, ...], Field(strict=False)] = Field(
        default=(), description="Rules that some models may break."
    )

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return self.model_dump(mode="json")


NO_POLICY = Policy(mode="off")


def read_policy(project: Project) -> Policy:
    """Return the catalog's policy; one that is off where there is no file. Raises SpecError with every fault of it."""
    path = project.specs / f"{POLICY}.yaml"
    return read_model(path, Policy) if path.is_file() else NO_POLICY


def meant(globs: tuple[str, ...], name: str) -> bool:
    """Tell whether one of ``globs`` fits a name."""
    return any(fnmatchcase(name, glob) for glob in globs)
