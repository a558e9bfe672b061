"""How far a model is from its reference, such as a quantized one from the F16 it was made of: their divergence on a text.

The figures are those of ``llama-perplexity --kl-divergence``, over the same windows (see perplexity): the KL divergence of
each scored token's distribution from the reference's, in nats, its mean and percentiles; ``same_top``, how often both find
the same token likeliest; ``rms_dp``, the root mean square of the change of the right token's probability.

Of the reference only the ``top`` likeliest tokens of each place are kept, with the rest as one mass: ``kld`` is the least
that the divergence can be, ``kld_bound`` the mean of the most that it can be. llama-perplexity keeps all in 16 bits each,
and leaves out what the reference finds less likely than e^-16.

The spec names the reference: ``reference: NAME``, another spec with the same tokenizer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress
from pipeline.evals.intervals import Z95, mean_and_error, wilson
from pipeline.evals.kinds._base import File, Measured, Needs, Suite
from pipeline.evals.model import Item, Metric
from pipeline.evals.rows import read_text
from pipeline.evals.windows import Piece, windows
from pipeline.runtime.packing import Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.runtime.binding import Scorer

NEEDS: Needs = "scorer"
REFERENCE = True
LOWER_IS_BETTER = True
EXAMPLE: dict[str, Any] = {
    "kind": "kl_divergence",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "text": "text.txt",
    "context": 512,
}
PERCENTILES = (99.9, 99.0, 95.0, 90.0, 50.0, 10.0, 5.0, 1.0)


class Config(Suite):
    """``text`` is a file read in windows of ``context`` tokens; ``top`` is how many of the reference's likeliest tokens
    are kept of each place."""

    kind: Literal["kl_divergence"]
    text: File
    context: Annotated[int, Field(ge=8, le=1 << 20)] = 512
    top: Annotated[int, Field(ge=1, le=4096)] = 64


@dataclass(frozen=True)
class Known:
    """The text, and what the reference makes of it: its tokens, and for each window what was kept."""

    tokens: Tokens
    bos: int | None
    rows: tuple[NDArray[np.floating[Any]], ...]


def load(config: Config, folder: Path) -> str:
    """Return the text. Raises SpecError when the file is missing or empty."""
    return read_text(folder / config.text)


def prepare(config: Config, data: str, reference: Scorer, progress: Progress) -> tuple[str, Known]:
    """Return the data with what the reference makes of it. Raises as ``measure``."""
    import numpy as np  # loads only when something is scored

    from pipeline.runtime.divergence import Top

    tokens = reference.tokenize(data)
    pieces = windows(tokens, reference.bos, config.context)
    rows = []
    with progress.task("scoring by the reference", len(pieces), "windows") as task:
        for _, numbers in reference.read((p.group for p in pieces), Top(config.top, reference.vocabulary)):
            rows.append(np.array(numbers))
            task.advance(1)
    return data, Known(tokens, reference.bos, tuple(rows))


def measure(config: Config, data: tuple[str, Known], scorer: Scorer, progress: Progress) -> Measured:
    """Compare the model with what is known of its reference. An item is a window; its score is the mean divergence of its
    tokens, in nats. Raises UsageError when the two have other tokenizers."""
    import numpy as np

    from pipeline.runtime.divergence import LOGPROB, Against

    text, known = data
    if (scorer.tokenize(text), scorer.bos) != (known.tokens, known.bos):
        hint = "name a reference of the same tokenizer: the model that this one was made of"
        raise UsageError(
            "the reference reads the text as other tokens than the model: nothing can be compared", hint=hint
        )
    pieces = windows(known.tokens, known.bos, config.context)
    digest = hashlib.sha256()
    for row in known.rows:
        digest.update(row.tobytes())
    rows = []
    with progress.task("comparing with the reference", len(pieces), "windows") as task:
        for _, numbers in scorer.read((p.group for p in pieces), Against(known.rows, digest.hexdigest())):
            rows.append(np.array(numbers, dtype=np.float64))
            task.advance(1)
    before = np.concatenate([row[:, LOGPROB] for row in known.rows]).astype(np.float64)
    return _metrics(np.concatenate(rows), before), _items(pieces, rows)


def _metrics(found: NDArray[np.float64], before: NDArray[np.float64]) -> tuple[Metric, ...]:
    import numpy as np

    after, kld, most, same = found.T
    n = len(found)
    moved = np.exp(after) - np.exp(before)
    low, high = wilson(int(same.sum()), n)
    square, square_error = mean_and_error((moved**2).tolist())
    rms = math.sqrt(square)
    spread = Z95 * 0.5 * square_error / rms if rms else 0.0  # of a square root
    at = np.percentile(kld, PERCENTILES)
    return (
        _mean("kld", kld, "nats"),
        Metric("kld_bound", float(most.mean()), "nats", n=n),
        Metric("kld_max", float(kld.max()), "nats", n=n),
        *(Metric(f"kld_p{p:g}", float(value), "nats", n=n) for p, value in zip(PERCENTILES, at, strict=True)),
        Metric("same_top", float(same.mean()), "share", low, high, n),
        Metric("rms_dp", 100 * rms, "%", 100 * (rms - spread), 100 * (rms + spread), n),
        _mean("mean_dp", 100 * moved, "%"),
        _mean("ln_ppl_ratio", before - after, "nats"),
        Metric("perplexity", math.exp(min(-float(after.mean()), 700.0)), "", n=n),
        Metric("perplexity_reference", math.exp(min(-float(before.mean()), 700.0)), "", n=n),
    )


def _mean(name: str, values: NDArray[np.float64], unit: str) -> Metric:
    mean, error = mean_and_error(values.tolist())
    low, high = (None, None) if math.isinf(error) else (mean - Z95 * error, mean + Z95 * error)
    return Metric(name, mean, unit, low, high, len(values))


def _items(pieces: Sequence[Piece], rows: Sequence[NDArray[np.float64]]) -> tuple[Item, ...]:
    items = []
    for piece, found in zip(pieces, rows, strict=True):
        after, kld, most, same = found.T
        detail = {
            "text": piece.text,
            "tokens": len(found),
            "bound": round(float(most.mean()), 6),
            "same_top": int(same.sum()),
            "worst": int(kld.argmax()),
            "worst_kld": round(float(kld.max()), 6),
            "mean_logprob": round(float(after.mean()), 6),
        }
        items.append(Item(piece.id, round(float(kld.mean()), 6), detail))
    return tuple(items)
