"""What every suite in ``evals/`` says of itself, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from pipeline.core.plugins import ASSERTIONS, EVAL_KINDS, plugins
from pipeline.spec.load import read_model

Text = Annotated[str, StringConstraints(min_length=1)]


class SuiteHead(BaseModel):
    """The head of a ``suite.yaml``; each kind adds its own keys."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    kind: Text
    version: Text
    description: str = ""
    license: Text
    source: Text


class Written(BaseModel):
    """A suite as it is written, whatever its keys."""

    model_config = ConfigDict(extra="allow", frozen=True)


def plugins_of(path: Path) -> dict[str, str]:
    """Return what a ``suite.yaml`` uses of other packages: the names of its assertions and of its kind, each with the
    package, its version and the digest of its code. Its outcomes depend on them. Raises SpecError, UsageError."""
    kinds, assertions = plugins(EVAL_KINDS), plugins(ASSERTIONS)
    if not kinds and not assertions:
        return {}
    content = read_model(path, Written).model_extra or {}
    used = {name: assertions[name] for name in _expected(content) if name in assertions}
    if content.get("kind") in kinds:
        used[content["kind"]] = kinds[content["kind"]]
    return {name: used[name].pinned for name in sorted(used)}


def _expected(value: Any) -> Iterator[str]:
    """Yield the keys of every ``expect`` in a suite."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "expect" and isinstance(part, dict):
                yield from map(str, part)
            yield from _expected(part)
    elif isinstance(value, list):
        for part in value:
            yield from _expected(part)
