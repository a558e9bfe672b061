"""Read a quality suite, and run it: on a model's weights, or through the server that has loaded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.canonical import tree_digest
from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT, Progress
from pipeline.evals.kinds._base import Needs
from pipeline.evals.model import EvalResult
from pipeline.evals.suite import EvalSuite, head, kinds
from pipeline.spec.load import read_model

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer
    from pipeline.runtime.embedding import Pooling
    from pipeline.runtime.serving import Serving


@dataclass(frozen=True)
class Model:
    """Weights to score with. ``overrides`` and ``pooling`` are those of the spec; ``identity`` says what kept scores belong to: a digest of
    weights, engine, hardware and settings."""

    weights: Path
    overrides: Mapping[str, bool | int | str] = field(default_factory=dict)
    identity: str = ""
    pooling: Pooling = "model"


def needs(folder: Path) -> Needs:
    """Return what the suite in ``folder`` is measured with. Raises as ``load_suite``, without reading the data."""
    return kinds()[read_model(folder / "suite.yaml", head()).kind].NEEDS


def compares(folder: Path) -> bool:
    """Return whether the suite in ``folder`` compares a model with its reference. Raises as ``needs``."""
    return getattr(kinds()[read_model(folder / "suite.yaml", head()).kind], "REFERENCE", False)


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
    model: Model,
    *,
    threads: int,
    gpu_layers: int = 0,
    reference: Model | None = None,
    scores: Path | None = None,
    progress: Progress = SILENT,
) -> EvalResult:
    """Score a model on a suite, in this process, through llama.cpp.

    ``scores`` is a file in which scores are kept, and from which those that are there are taken. Log-likelihoods depend on
    neither a seed nor the model's chat template: a suite states its own prompt. Raises EngineError when llama.cpp fails,
    UsageError when the suite doesn't fit the model, is of a kind that asks a server, or wants a ``reference`` and there is
    none.
    """
    _require(suite, "scorer")
    kind, data = kinds()[suite.kind], suite.data
    if prepare := getattr(kind, "prepare", None):
        if reference is None:
            raise UsageError(
                f"suite {suite.name} compares a model with its reference", hint="name it in the spec: reference: NAME"
            )
        with scoring(reference, threads=threads, gpu_layers=gpu_layers, scores=scores) as scorer:
            data = prepare(suite.config, data, scorer, progress)
    with scoring(model, threads=threads, gpu_layers=gpu_layers, scores=scores) as scorer:
        metrics, items = kind.measure(suite.config, data, scorer, progress)
    return EvalResult(suite.name, suite.kind, metrics, items)


@contextmanager
def scoring(model: Model, *, threads: int, gpu_layers: int = 0, scores: Path | None = None) -> Iterator[Scorer]:
    """Load a model, with the scores that were kept of it."""
    from pipeline.runtime.binding import Scorer  # numpy and llama.cpp load only when something is scored
    from pipeline.runtime.kept_scores import Scores

    with ExitStack() as stack:
        kept = stack.enter_context(Scores(scores, model.identity)) if scores else None
        options: dict[str, Any] = {"threads": threads, "gpu_layers": gpu_layers, "overrides": model.overrides}
        options["pooling"] = model.pooling
        yield stack.enter_context(Scorer(model.weights, **options, scores=kept))


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
