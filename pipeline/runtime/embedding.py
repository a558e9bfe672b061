"""Texts as vectors, as the model pools them: one text a decode, so that no text's vector depends on another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EngineError, UsageError
from pipeline.runtime.packing import Tokens

Pooling = Literal["model", "mean", "cls", "last"]
_POOLING = {"model": -1, "mean": 1, "cls": 2, "last": 3}  # llama_pooling_type
_NONE = 0


def embed(
    library: Any,
    model: Any,
    texts: Sequence[Tokens],
    *,
    pooling: Pooling,
    threads: int,
    gpu: bool,
    said: Callable[[], str],
) -> Iterator[NDArray[np.float32]]:
    """Yield the vector of each text, of length 1. ``pooling`` says how the tokens' vectors become one; ``model`` is what
    the file says.

    Raises UsageError when the file says nothing of it, EngineError when llama.cpp fails.
    """
    longest = max(map(len, texts), default=1)
    size = library.llama_model_n_embd(model)
    with _context(library, model, longest, pooling, threads, gpu, said) as context:
        if library.llama_pooling_type(context) == _NONE:
            said_ = "the file does not say how the vectors of a text's tokens become one: it is no embedding model"
            raise UsageError(said_, hint="name it in suite.yaml, pooling: mean, or take another model")
        batch = library.llama_batch_init(longest, 0, 1)
        try:
            for tokens in texts:
                library.llama_memory_clear(library.llama_get_memory(context), True)
                batch.n_tokens = len(tokens)
                for place, token in enumerate(tokens):
                    batch.token[place], batch.pos[place] = token, place
                    batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
                    batch.logits[place] = True
                if code := library.llama_decode(context, batch):
                    raise EngineError(f"llama.cpp failed to embed {len(tokens)} tokens (code {code}): {said()}")
                address = library.llama_get_embeddings_seq(context, 0)
                if not address:
                    raise EngineError(f"llama.cpp returned no vector: {said()}")
                vector = np.array(np.ctypeslib.as_array(address, shape=(size,)), dtype=np.float32)
                length = float(np.linalg.norm(vector))
                if not np.isfinite(length) or length == 0:
                    raise EngineError("llama.cpp returned a vector of no direction", hint="the weights are damaged")
                yield vector / np.float32(length)
        finally:
            library.llama_batch_free(batch)


@contextmanager
def _context(
    library: Any, model: Any, longest: int, pooling: Pooling, threads: int, gpu: bool, said: Callable[[], str]
) -> Iterator[Any]:
    params = library.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = longest
    params.n_threads = params.n_threads_batch = threads
    params.n_seq_max, params.embeddings, params.pooling_type = 1, True, _POOLING[pooling]
    params.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.offload_kqv = params.op_offload = gpu
    context = library.llama_init_from_model(model, params)
    if not context:
        raise EngineError(
            f"llama.cpp can't make a context of {longest} tokens: {said()}", hint="is there enough memory?"
        )
    try:
        yield context
    finally:
        library.llama_free(context)
