"""Log-likelihoods straight from llama.cpp, in this process: what its server does not give.

Several sequences share one decode, over one KV buffer; logits are computed only for the rows that are asked for, and
each row becomes log-probabilities at once, so that memory stays bounded for a vocabulary of any size. Flash attention
is off: on CPUs its results depend more on the shape of a batch.

llama.cpp aborts the process on an internal error. Run a ``Scorer`` in a child process where that must not hurt.

Weights are not repacked for the CPU, though the server does that: with the kernels for repacked weights a token's
log-probability moved by up to 0.27 nats with the shape of its batch (gemma-3-270m, Q4_K_M), without them by 0.013, at
the same speed.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EngineError, UsageError
from pipeline.runtime.packing import Cell, Group, Target, Tokens, common_prefix, cut, lay_out, packs

SEQUENCES = 64
BATCH = 512
CELLS = 4096
ROW_BYTES = 128 << 20
Logprobs = tuple[float, ...]

_WARN = 3  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 continues the line before
_log: deque[str] = deque(maxlen=40)
_callbacks: list[Any] = []  # llama.cpp calls the callback as long as the process lives, so it must live as long


@cache
def _library() -> Any:
    """Load llama.cpp and send its log to ``_log``. The import reads shared libraries, so it waits until somebody
    scores."""
    try:
        library: Any = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        hint = "install the package's requirements again: assay doctor says how"
        raise EngineError(f"llama.cpp's Python binding can't be loaded: {error}", hint=hint) from None

    def keep(level: int, text: bytes, _: Any) -> None:
        if level >= _WARN:
            _log.append(text.decode(errors="replace").strip())

    _callbacks.append(library.llama_log_callback(keep))
    library.llama_log_set(_callbacks[0], None)
    library.llama_backend_init()
    return library


def _last_words() -> str:
    return "; ".join([line for line in _log if line][-3:]) or "it gave no reason"


class Scorer:
    """One model, its weights loaded once, ready to tokenize and to score. A context manager; not safe between threads.

    ``threads`` is the number of CPU threads; ``gpu_layers`` layers go to a GPU. ``pack=False`` gives every sequence
    decodes of its own: slower, and what packed results are tested against. Raises EngineError when llama.cpp can't load
    the weights.
    """

    def __init__(self, weights: Path, *, threads: int, gpu_layers: int = 0, pack: bool = True) -> None:
        self._threads, self._gpu_layers = threads, gpu_layers
        self._c = _library()
        self._model = self._load(weights)
        self._pieces: dict[int, int] = {}
        self.vocabulary: int = self._c.llama_vocab_n_tokens(self._vocab)
        self.trained_context: int = self._c.llama_model_n_ctx_train(self._model)
        # A recurrent state can't be shared by sequences that part later.
        self._pack = pack and not (
            self._c.llama_model_is_recurrent(self._model) or self._c.llama_model_is_hybrid(self._model)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._model:
            self._c.llama_model_free(self._model)
        self._model = None

    @property
    def _vocab(self) -> Any:
        if not self._model:
            raise ValueError("the scorer is closed")
        return self._c.llama_model_get_vocab(self._model)

    @property
    def bos(self) -> int | None:
        """The token that the model wants before every text, or None."""
        return int(self._c.llama_vocab_bos(self._vocab)) if self._c.llama_vocab_get_add_bos(self._vocab) else None

    def tokenize(self, text: str, *, special: bool = False, bos: bool = True) -> Tokens:
        """Return the tokens of ``text``, BOS in front where the model wants it and ``bos`` is true.

        ``special`` reads text such as ``<|im_end|>`` as the token of that name. A BOS that the text itself begins with
        is not doubled. Raises EngineError when the vocabulary can't express the text.
        """
        data, size = text.encode(), len(text.encode()) + 2
        for _ in range(2):
            buffer = (self._c.llama_token * size)()
            count = self._c.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special)
            if count >= 0:
                break
            size = -count
        if count < 0:
            raise EngineError(f"llama.cpp can't tokenize a text of {len(data)} bytes: {_last_words()}")
        tokens = tuple(buffer[:count])
        return tokens if not bos or self.bos is None or tokens[:1] == (self.bos,) else (self.bos, *tokens)

    def piece_bytes(self, token: int) -> int:
        """Return how many bytes of text a token stands for; for a special token, those of its name."""
        if token not in self._pieces:
            self._pieces[token] = abs(self._c.llama_token_to_piece(self._vocab, token, None, 0, 0, True))
        return self._pieces[token]

    def group(self, context: str, continuations: Sequence[str], *, special: bool = False) -> Group:
        """Return ``context`` and its continuations as tokens, each split exactly as the whole text splits.

        A tokenizer may join the end of the context with the start of a continuation. What is scored therefore starts at
        the first token in which any of the whole texts leaves the context's own tokens, the same place for every
        continuation, so that their scores compare. Raises UsageError when nothing of the context is left to condition
        on, or a continuation is empty.
        """
        if not all(continuations):
            raise UsageError("a continuation is empty: there is nothing to score")
        wholes = [self.tokenize(context + continuation, special=special) for continuation in continuations]
        start = common_prefix([self.tokenize(context, special=special), *wholes])
        start = min(start, *(len(whole) - 1 for whole in wholes))
        if start < 1:
            hint = "begin the context with other text, or with a special token"
            raise UsageError(f"no token stands before the continuation {continuations[0]!r}", hint=hint)
        return Group(wholes[0][:start], tuple(whole[start:] for whole in wholes))

    def score(
        self, groups: Sequence[Group], advance: Callable[[int], None] = lambda _: None
    ) -> list[tuple[Logprobs, ...]]:
        """Return, for each group and each of its suffixes, the natural log-probability of every token given all before
        it.

        Equal groups in equal order give equal numbers, on one machine and build. ``advance`` is told the groups done.
        Memory: the KV cache of ``CELLS`` tokens (or of the longest group), and ``ROW_BYTES`` of logits.

        Raises UsageError when a group is longer than the context that the model was trained for, EngineError when
        llama.cpp fails.
        """
        if not groups:
            return []
        for number, group in enumerate(groups):
            if group.length > self.trained_context:
                message = (
                    f"sequence {number + 1} has {group.length} tokens; the model was trained for {self.trained_context}"
                )
                raise UsageError(message, hint="shorten the text or the window")
        if not self._pack:
            return self._one_by_one(groups, advance)
        results = [[[0.0] * len(suffix) for suffix in group.suffixes] for group in groups]
        cells = max(max(group.cells for group in groups), min(CELLS, sum(group.cells for group in groups)))
        sequences = max(SEQUENCES, *(len(group.suffixes) for group in groups))
        self._run(groups, packs(groups, cells=cells, sequences=sequences), cells, sequences, results, advance)
        return [tuple(tuple(suffix) for suffix in group) for group in results]

    def _one_by_one(self, groups: Sequence[Group], advance: Callable[[int], None]) -> list[tuple[Logprobs, ...]]:
        owners = [(number, suffix) for number, group in enumerate(groups) for suffix in group.suffixes]
        alone = [Group(groups[number].prefix, (suffix,)) for number, suffix in owners]
        results = [[[0.0] * len(suffix)] for _, suffix in owners]
        last = {number: place for place, (number, _) in enumerate(owners)}
        ends = set(last.values())
        done = iter(range(len(owners)))

        def one(_: int) -> None:
            if next(done) in ends:
                advance(1)

        self._run(alone, ([i] for i in range(len(alone))), max(group.cells for group in alone), 1, results, one)
        return [
            tuple(tuple(result[0]) for result, (owner, _) in zip(results, owners, strict=True) if owner == number)
            for number in range(len(groups))
        ]

    def _run(
        self,
        groups: Sequence[Group],
        plan: Iterable[Sequence[int]],
        cells: int,
        sequences: int,
        results: list[list[list[float]]],
        advance: Callable[[int], None],
    ) -> None:
        c = self._c
        rows = max(sequences, min(BATCH, ROW_BYTES // (4 * self.vocabulary)))
        context = self._context(cells, sequences, rows)
        batch = c.llama_batch_init(BATCH, 0, sequences)
        try:
            for pack in plan:
                c.llama_memory_clear(c.llama_get_memory(context), True)
                for part in cut(lay_out(groups, pack), tokens=BATCH, rows=rows):
                    self._decode(context, batch, part)
                    for place, cell in enumerate(part):
                        if cell.targets:
                            self._take(context, place, cell.targets, results)
                advance(len(pack))
        finally:
            c.llama_batch_free(batch)
            c.llama_free(context)

    def _decode(self, context: Any, batch: Any, part: Sequence[Cell]) -> None:
        batch.n_tokens = len(part)
        for place, cell in enumerate(part):
            batch.token[place] = cell.token
            batch.pos[place] = cell.position
            batch.n_seq_id[place] = len(cell.sequences)
            for i, sequence in enumerate(cell.sequences):
                batch.seq_id[place][i] = sequence
            batch.logits[place] = bool(cell.targets)
        code = self._c.llama_decode(context, batch)
        if code:
            raise EngineError(f"llama.cpp failed to decode {len(part)} tokens (code {code}): {_last_words()}")

    def _take(self, context: Any, place: int, targets: Sequence[Target], results: list[list[list[float]]]) -> None:
        address = self._c.llama_get_logits_ith(context, place)
        if not address:
            raise EngineError(f"llama.cpp returned no logits for row {place}: {_last_words()}")
        row: NDArray[np.float32] = np.ctypeslib.as_array(address, shape=(self.vocabulary,))
        peak = row.max()
        total = float(peak) + float(np.log(np.exp(row - peak).sum(dtype=np.float64)))
        if not np.isfinite(total):
            raise EngineError(
                "llama.cpp returned logits that are not numbers",
                hint="the weights are damaged, or overflow in this precision",
            )
        for target in targets:
            results[target.group][target.suffix][target.place] = float(row[target.token]) - total

    def _load(self, weights: Path) -> Any:
        if not weights.is_file():
            raise EngineError(f"no such file: {weights}", hint="fetch the model first")
        params = self._c.llama_model_default_params()
        params.n_gpu_layers = self._gpu_layers
        params.use_extra_bufts = False
        # A copy in memory: bytes changed on disk later can't change a score.
        params.load_mode = self._c.LLAMA_LOAD_MODE_NONE
        _log.clear()
        model = self._c.llama_model_load_from_file(str(weights).encode(), params)
        if not model:
            raise EngineError(
                f"llama.cpp can't load {weights}: {_last_words()}",
                hint="check the file: assay verify --deep, assay lint",
            )
        return model

    def _context(self, cells: int, sequences: int, rows: int) -> Any:
        if not self._model:
            raise ValueError("the scorer is closed")
        params = self._c.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, BATCH, BATCH
        params.n_seq_max, params.n_outputs_max = sequences, rows
        params.n_threads = params.n_threads_batch = self._threads
        params.flash_attn_type = self._c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.kv_unified = params.swa_full = True
        params.offload_kqv = params.op_offload = self._gpu_layers > 0
        _log.clear()
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise EngineError(
                f"llama.cpp can't make a context of {cells} tokens: {_last_words()}", hint="is there enough memory?"
            )
        return context
