"""One context of llama.cpp that decodes packs, and hands each row of logits that is asked for to a reader.

Flash attention is off: on CPUs its results depend more on the shape of a batch. The numbers of a pack depend on nothing
that was decoded before it: what stays in the KV cache is its shared beginning, which stands where it would stand if it
were decoded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EngineError
from pipeline.runtime.packing import Cell, Pack, Packing, Tokens, cut, lay_out
from pipeline.runtime.readers import Logits, Numbers, Reader, log_total

BATCH = 512
CELLS = 4096
ROW_BYTES = 128 << 20


class Decoder:
    """A context for packs of up to ``cells`` places and ``sequences`` sequences beside the shared one. A context manager.

    ``exact`` keeps the KV cache in F32. ``said`` returns llama.cpp's last words, for errors. Raises EngineError when
    llama.cpp can't make the context.
    """

    def __init__(
        self,
        library: Any,
        model: Any,
        *,
        vocabulary: int,
        cells: int,
        sequences: int,
        threads: int,
        gpu: bool,
        exact: bool,
        said: Callable[[], str],
    ) -> None:
        self._c, self._said, self._vocabulary = library, said, vocabulary
        self.cells, self.sequences = cells, sequences
        self._rows = max(sequences + 1, min(BATCH, ROW_BYTES // (4 * vocabulary)))
        self._held: Tokens = ()
        params = library.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, BATCH, BATCH
        params.n_seq_max, params.n_outputs_max = sequences + 1, self._rows
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.kv_unified = params.swa_full = True
        params.offload_kqv = params.op_offload = gpu
        if exact:
            params.type_k = params.type_v = 0  # GGML_TYPE_F32
        self._context = library.llama_init_from_model(model, params)
        if not self._context:
            raise EngineError(
                f"llama.cpp can't make a context of {cells} tokens: {said()}", hint="is there enough memory?"
            )
        self._batch = library.llama_batch_init(BATCH, 0, sequences + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._c.llama_batch_free(self._batch)
        self._c.llama_free(self._context)

    def run(self, pack: Pack, packing: Packing, reader: Reader) -> Numbers:
        """Decode a pack and return what ``reader`` reads, a row for each scored token, ordered by group, suffix and
        place. Raises EngineError when llama.cpp fails, or gives what is no number."""
        size = min(packing.tokens, BATCH)
        self._share(pack.shared, pack.sequences, size)
        starts = _starts(pack)
        results: NDArray[Any] = np.zeros((pack.scored, reader.width), dtype=reader.kind)
        for part in cut(lay_out(pack), tokens=size, rows=self._rows):
            self._decode(part)
            for place, cell in enumerate(part):
                if cell.targets:
                    row, total = self._row(place)
                    for target in cell.targets:
                        group_start, suffix_start = starts[target.group][0], starts[target.group][1 + target.suffix]
                        at = suffix_start + target.place
                        number = pack.first + target.group
                        results[at] = reader.read(row, total, target.token, number, at - group_start)
        return results

    def _share(self, shared: Tokens, sequences: int, size: int) -> None:
        """Leave nothing in the KV cache but ``shared``, known to all sequences."""
        c, memory = self._c, self._c.llama_get_memory(self._context)
        if shared and shared == self._held:
            for sequence in range(1, self.sequences + 1):
                c.llama_memory_seq_rm(memory, sequence, -1, -1)
        else:
            self._held = ()
            c.llama_memory_clear(memory, True)
            cells = (Cell(token, position, (0,), ()) for position, token in enumerate(shared))
            for part in cut(cells, tokens=size, rows=self._rows):
                self._decode(part)
            self._held = shared
        for sequence in range(1, sequences + 1) if shared else ():
            c.llama_memory_seq_cp(memory, 0, sequence, -1, -1)

    def _decode(self, part: Sequence[Cell]) -> None:
        batch = self._batch
        batch.n_tokens = len(part)
        for place, cell in enumerate(part):
            batch.token[place] = cell.token
            batch.pos[place] = cell.position
            batch.n_seq_id[place] = len(cell.sequences)
            for i, sequence in enumerate(cell.sequences):
                batch.seq_id[place][i] = sequence
            batch.logits[place] = bool(cell.targets)
        code = self._c.llama_decode(self._context, batch)
        if code:
            raise EngineError(f"llama.cpp failed to decode {len(part)} tokens (code {code}): {self._said()}")

    def _row(self, place: int) -> tuple[Logits, float]:
        address = self._c.llama_get_logits_ith(self._context, place)
        if not address:
            raise EngineError(f"llama.cpp returned no logits for row {place}: {self._said()}")
        row: NDArray[np.float32] = np.ctypeslib.as_array(address, shape=(self._vocabulary,))
        total = log_total(row)
        if not np.isfinite(total):
            raise EngineError(
                "llama.cpp returned logits that are not numbers",
                hint="the weights are damaged, or overflow in this precision",
            )
        return row, total


def _starts(pack: Pack) -> list[list[int]]:
    """Return, for each group, where its results begin, then where those of each suffix do."""
    starts, at = [], 0
    for group in pack.groups:
        places = [at]
        for suffix in group.suffixes:
            places.append(at)
            at += len(suffix)
        starts.append(places)
    return starts
