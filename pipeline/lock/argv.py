"""The part of llama-server's command line that decides what it answers; pure, and part of the lock.

What belongs to one machine (paths, port or socket, keys, threads) is added by ``runtime.params`` when a server starts. Everything that
llama-server would otherwise choose by itself is said: it splits ``--ctx-size`` over its slots, fits unset values to free memory, keeps a
prompt cache, and answers to any model name.
"""

from __future__ import annotations

from pipeline.core.digest import Digest
from pipeline.spec.model import Spec
from pipeline.spec.overrides import argument

_LOAD = {"copy": "none", "mmap": "mmap"}
_PROFILES = {"embedding": ("--embeddings", "--embd-normalize", "2"), "rerank": ("--reranking",)}


def compile_argv(spec: Spec, weights: Digest) -> tuple[str, ...]:
    """Return the arguments, flags and values, in a fixed order."""
    engine, sampling = spec.engine, spec.sampling
    values = {
        "--alias": f"{spec.name},{spec.name}@{weights}",
        "--ctx-size": engine.context * engine.slots,
        "--parallel": engine.slots,
        "--gpu-layers": engine.gpu_layers,
        "--batch-size": engine.batch if spec.writes else spec.micro_batch,
        "--ubatch-size": spec.micro_batch,
        "--cache-type-k": engine.cache_type_k,
        "--cache-type-v": engine.cache_type_v,
        "--flash-attn": engine.flash_attention,
        "--load-mode": _LOAD[engine.load],
        "--fit": "off",
        "--cache-ram": 0,
        "--seed": sampling.seed,
        "--temp": sampling.temperature,
        "--top-k": sampling.top_k,
        "--top-p": sampling.top_p,
        "--min-p": sampling.min_p,
        "--repeat-penalty": sampling.repeat_penalty,
        "--n-predict": sampling.max_tokens or -1,
    }
    pooling = ("--pooling", engine.pooling) if engine.pooling else ()
    # With caches apart, texts of several lengths are cut into batches of equal ones, and what is pooled is the last piece.
    cache = "--no-kv-unified" if spec.writes else "--kv-unified"
    same = (cache, "--no-context-shift", "--jinja", "--no-prefill-assistant")
    flags = (*same, *_PROFILES.get(spec.profile, ()), *pooling)
    # Taken where a request names no stop strings of its own. llama-server reads escapes such as \n in them.
    stops = [text for stop in spec.chat.stop for text in ("--reverse-prompt", stop.replace("\\", "\\\\"))]
    overrides = [text for key, value in engine.overrides.items() for text in ("--override-kv", argument(key, value))]
    return (*(text for flag, value in values.items() for text in (flag, str(value))), *flags, *stops, *overrides)
