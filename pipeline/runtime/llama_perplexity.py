"""Do other engine settings change what a model says? KL divergence of its next-token probabilities, by llama-perplexity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.scratch import scratch
from pipeline.runtime.build import EngineBuild
from pipeline.spec.model import Engine
from pipeline.spec.overrides import argument

CONTEXT = 256
CHUNKS = 3
TRIES = 3  # a thread of its own writes for it, and sometimes it ends before that has written all
TIMEOUT_SECONDS = 1800.0
# In nats; Q8_0 weights are about a tenth of it from F16, Q4_K_M some times as much.
MOST_KL = 0.01


@dataclass(frozen=True)
class Divergence:
    """The mean KL divergence in nats over some hundred tokens, its standard error, and the share of tokens whose likeliest
    next token stayed.
    """

    kl: float
    error: float
    same_top: float

    @property
    def small(self) -> bool:
        """Whether the upper end of the mean's 95 % interval is within ``MOST_KL``."""
        return self.kl + 1.96 * self.error <= MOST_KL

    def __str__(self) -> str:
        bound = f"{'within' if self.small else 'above'} {MOST_KL:g}"
        return (
            f"KL {self.kl:.2g} ± {self.error:.1g} nats from the defaults ({bound}), {self.same_top:.1%} same next token"
        )


def divergence(build: EngineBuild, weights: Path, engine: Engine, text: str, *, threads: int) -> Divergence:
    """Compare ``engine`` with the same settings on the CPU, F16 caches and no flash attention, on ``text`` of at least
    ``CHUNKS`` x ``CONTEXT`` tokens. Raises EngineError when llama-perplexity fails.

    The reference's probabilities take 2 bytes for each scored token and word of the vocabulary, in a temporary file.
    """
    plain = {"cache_type_k": "f16", "cache_type_v": "f16", "flash_attention": "off", "gpu_layers": 0}
    reference = engine.model_copy(update=plain)
    with scratch() as folder:
        prompt, base = folder / "text", folder / "logits"
        prompt.write_text(text)
        about = (build, weights, prompt, threads)
        _perplexity(*about, reference, ("--save-all-logits", str(base)))
        for _ in range(TRIES):
            said = _perplexity(*about, engine, ("--kl-divergence-base", str(base), "--kl-divergence"))
            kl = re.search(r"Mean\s+KLD:\s+(-?[0-9.]+) ±\s+([0-9.]+)", said)
            top = re.search(r"Same top p:\s+([0-9.]+)", said)
            if kl and top:
                return Divergence(float(kl[1]), float(kl[2]), float(top[1]) / 100)
    raise EngineError(f"llama-perplexity told no KL divergence\n{said[-500:]}", hint="see: assay doctor")


def _perplexity(
    build: EngineBuild, weights: Path, prompt: Path, threads: int, engine: Engine, more: tuple[str, ...]
) -> str:
    overrides = [text for key, value in engine.overrides.items() for text in ("--override-kv", argument(key, value))]
    argv = (
        str(build.tool("llama-perplexity")),
        *("--model", str(weights), "--file", str(prompt)),
        *("--ctx-size", str(CONTEXT), "--chunks", str(CHUNKS), "--threads", str(engine.threads or threads)),
        *("--batch-size", str(engine.batch), "--ubatch-size", str(engine.micro_batch)),
        *("--cache-type-k", engine.cache_type_k, "--cache-type-v", engine.cache_type_v),
        *("--flash-attn", engine.flash_attention, "--gpu-layers", str(engine.gpu_layers)),
        *overrides,
        *more,
    )
    done = run(argv, env=build.environment, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise EngineError(
            f"llama-perplexity failed ({done.ending})\n{done.tail(5)}", hint="run it by hand: " + " ".join(argv)
        )
    return done.stdout + done.stderr
