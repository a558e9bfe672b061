"""Read a quality suite, and run it: on a model's weights, or through the server that has loaded them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.canonical import tree_digest
from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT, Progress
from pipeline.evals.kinds._base import Needs
from pipeline.evals.model import EvalResult
from pipeline.evals.suite import EvalSuite, head, kinds
from pipeline.spec.load import read_model

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving


def needs(folder: Path) -> Needs:
    """Return what the suite in ``folder`` is measured with. Raises as ``load_suite``, without reading the data."""
    return kinds()[read_model(folder / "suite.yaml", head()).kind].NEEDS


def load_suite(folder: Path) -> EvalSuite:
    """Read ``suite.yaml`` and the data it names.

    Raises SpecError with every fault and its place, UsageError when there is no suite in ``folder``.
    """
    path = folder / "suite.yaml"
    kind = kinds()[read_model(path, head()).kind]
    config = read_model(path, kind.Config)
    data = kind.load(config, folder)
    return EvalSuite(folder.name, folder, config, data, tree_digest(folder))


def run_suite(
    suite: EvalSuite,
    weights: Path,
    *,
    template: str | None = None,
    threads: int,
    seed: int = 0,
    gpu_layers: int = 0,
    overrides: Mapping[str, bool | int | str] | None = None,
    progress: Progress = SILENT,
) -> EvalResult:
    """Score the weights on a suite, in this process, through llama.cpp.

    ``overrides`` are those of the spec. Log-likelihoods depend on neither ``seed`` nor the model's chat ``template`` (a
    suite states its own prompt). Raises EngineError when llama.cpp fails, UsageError when the suite doesn't fit the model or is of a kind that asks a server.
    """
    from pipeline.runtime.binding import Scorer  # numpy and llama.cpp load only when something is scored

    _require(suite, "scorer")
    with Scorer(weights, threads=threads, gpu_layers=gpu_layers, overrides=overrides or {}) as scorer:
        metrics, items = kinds()[suite.kind].measure(suite.config, suite.data, scorer, progress)
    return EvalResult(suite.name, suite.kind, metrics, items)


def ask_suite(suite: EvalSuite, server: Serving, *, progress: Progress = SILENT) -> EvalResult:
    """Put a suite's questions to a running server, and judge its answers. Raises EngineError when the server dies,
    UsageError when the suite doesn't fit the model or is of a kind that scores weights.
    """
    _require(suite, "server")
    metrics, items = kinds()[suite.kind].measure(suite.config, suite.data, server, progress)
    return EvalResult(suite.name, suite.kind, metrics, items)


def _require(suite: EvalSuite, has: Needs) -> None:
    if (wanted := kinds()[suite.kind].NEEDS) != has:
        raise UsageError(f"suite {suite.name} is of kind {suite.kind}, which needs a {wanted}, not a {has}")
