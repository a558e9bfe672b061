"""Read a quality suite, and run it on a model's weights."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.canonical import tree_digest
from pipeline.core.progress import SILENT, Progress
from pipeline.evals.model import EvalResult
from pipeline.evals.suite import EvalSuite, head, kinds
from pipeline.spec.load import read_model


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
    progress: Progress = SILENT,
) -> EvalResult:
    """Score the weights on a suite, in this process, through llama.cpp.

    Log-likelihoods depend on neither ``seed`` nor the model's chat ``template`` (a suite states its own prompt); kinds
    that generate will. Raises EngineError when llama.cpp fails, UsageError when the suite doesn't fit the model.
    """
    from pipeline.runtime.binding import Scorer  # numpy and llama.cpp load only when something is scored

    with Scorer(weights, threads=threads, gpu_layers=gpu_layers) as scorer:
        metrics, items = kinds()[suite.kind].measure(suite.config, suite.data, scorer, progress)
    return EvalResult(suite.name, suite.kind, metrics, items)
