"""Log-likelihoods straight from llama.cpp, in this process: what its server does not give.

Several sequences share one decode, over one KV buffer; logits are computed only for the rows that are asked for, and
each row becomes a few numbers at once, so that memory stays bounded for a vocabulary of any size and for any number of
texts.

llama.cpp aborts the process on an internal error. Run a ``Scorer`` in a child process where that must not hurt.

Weights are not repacked for the CPU, though the server does that: with the kernels for repacked weights a token's
log-probability moved by up to 0.27 nats with the shape of its batch (gemma-3-270m, Q4_K_M), without them by 0.013, at
the same speed.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EngineError, UsageError
from pipeline.runtime.decoding import CELLS, Decoder
from pipeline.runtime.embedding import Pooling, embed
from pipeline.runtime.kept_scores import Scores
from pipeline.runtime.packing import PACKED, Group, Pack, Packing, Tokens, common_prefix, packs
from pipeline.runtime.readers import From, Logprob, Numbers, Reader

SEQUENCES = PACKED.sequences
Logprobs = tuple[float, ...]
Decode = Callable[[Pack, Packing, Reader], Numbers]

_NONE: Mapping[str, bool | int | str] = {}
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


def _overrides(library: Any, values: Mapping[str, bool | int | str]) -> Any:
    """Return overrides as llama.cpp takes them: one without a key ends the list."""
    made = (library.llama_model_kv_override * (len(values) + 1))()
    for one, (key, value) in zip(made, values.items(), strict=False):
        one.key = key.encode()
        if isinstance(value, bool):
            one.tag, one.value.val_bool = library.LLAMA_KV_OVERRIDE_TYPE_BOOL, value
        elif isinstance(value, int):
            one.tag, one.value.val_i64 = library.LLAMA_KV_OVERRIDE_TYPE_INT, value
        else:
            one.tag, one.value.val_str = library.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()
    return made


class Scorer:
    """One model, its weights loaded once, ready to tokenize and to score. A context manager; not safe between threads.

    ``threads`` is the number of CPU threads; ``gpu_layers`` layers go to a GPU. ``scores`` is where results are kept and
    taken from. ``pack=False`` gives every sequence decodes of its own: slower, and what packed results are tested
    against; ``exact`` keeps the KV cache in F32. ``overrides`` and ``pooling`` go before what the file says, as in a spec.
    Raises EngineError when llama.cpp can't load the weights.
    """

    def __init__(
        self,
        weights: Path,
        *,
        threads: int,
        gpu_layers: int = 0,
        pack: bool = True,
        exact: bool = False,
        scores: Scores | None = None,
        overrides: Mapping[str, bool | int | str] = _NONE,
        pooling: Pooling = "model",
    ) -> None:
        self._pooling: Pooling = pooling
        self._threads, self._gpu_layers, self._exact, self._scores = threads, gpu_layers, exact, scores
        self._c = _library()
        self._model = self._load(weights, overrides)
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

    @property
    def eos(self) -> int:
        """The token that ends a text; -1 where there is none."""
        return int(self._c.llama_vocab_eos(self._vocab))

    def tokenize_whole(self, text: str) -> Tokens:
        """Return the tokens of ``text`` as llama-server takes an input: with all that the model wants around it."""
        return self._tokens(text, True, True)

    def tokenize(self, text: str, *, special: bool = False, bos: bool = True) -> Tokens:
        """Return the tokens of ``text``, BOS in front where the model wants it and ``bos`` is true.

        ``special`` reads text such as ``<|im_end|>`` as the token of that name. A BOS that the text itself begins with
        is not doubled. Raises EngineError when the vocabulary can't express the text.
        """
        tokens = self._tokens(text, False, special)
        return tokens if not bos or self.bos is None or tokens[:1] == (self.bos,) else (self.bos, *tokens)

    def _tokens(self, text: str, around: bool, special: bool) -> Tokens:
        data, size = text.encode(), len(text.encode()) + 2
        for _ in range(2):
            buffer = (self._c.llama_token * size)()
            count = self._c.llama_tokenize(self._vocab, data, len(data), buffer, size, around, special)
            if count >= 0:
                break
            size = -count
        if count < 0:
            raise EngineError(f"llama.cpp can't tokenize a text of {len(data)} bytes: {_last_words()}")
        return tuple(buffer[:count])

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

    def embed(self, texts: Sequence[Tokens], pooling: Pooling = "model") -> Iterator[NDArray[np.float32]]:
        """Yield the vector of each text, of length 1; ``model`` is the scorer's. Raises as ``embedding.embed``."""
        if not self._model:
            raise ValueError("the scorer is closed")
        gpu, way = self._gpu_layers > 0, self._pooling if pooling == "model" else pooling
        return embed(self._c, self._model, texts, pooling=way, threads=self._threads, gpu=gpu, said=_last_words)

    def too_long(self, group: Group) -> str | None:
        """Return why a group can't be scored: it is longer than the context that the model was trained for."""
        if group.length <= self.trained_context:
            return None
        return f"{group.length} tokens; the model was trained for {self.trained_context}"

    def score(self, groups: Iterable[Group], packing: Packing = PACKED) -> Iterator[tuple[Logprobs, ...]]:
        """Yield, for each group and each of its suffixes, the natural log-probability of every token given all before it.

        Equal groups in equal order give equal numbers, on one machine and build. Groups are taken a pack at a time.
        Memory: the KV cache of ``CELLS`` tokens (or of the longest group), and ``ROW_BYTES`` of logits.

        Raises UsageError when a group is longer than the context that the model was trained for, EngineError when
        llama.cpp fails.
        """
        for group, numbers in self.read(groups, Logprob(), packing):
            split, at = [], 0
            for suffix in group.suffixes:
                split.append(tuple(numbers[at : at + len(suffix), 0].tolist()))
                at += len(suffix)
            yield tuple(split)

    def read(
        self, groups: Iterable[Group], reader: Reader, packing: Packing = PACKED
    ) -> Iterator[tuple[Group, Numbers]]:
        """Yield each group with what ``reader`` reads of it: a row of numbers for each scored token, in order.

        What is kept in ``scores`` is taken from there, a pack at a time. Raises as ``score``.
        """
        checked = self._checked(groups)
        if not self._pack:
            yield from self._one_by_one(checked, reader)
            return
        with ExitStack() as stack:
            decode = self._decoding(stack)
            for pack in packs(checked, packing):
                yield from _apart(pack, self._known(pack, packing, reader, decode))

    def _one_by_one(self, groups: Iterable[Group], reader: Reader) -> Iterator[tuple[Group, Numbers]]:
        """Decode every sequence by itself."""
        with ExitStack() as stack:
            decode = self._decoding(stack)
            for number, group in enumerate(groups):
                packs = [Pack(number, (), (Group(group.prefix, (suffix,)),)) for suffix in group.suffixes]
                starts = accumulate((len(suffix) for suffix in group.suffixes), initial=0)
                parts = [
                    self._known(pack, PACKED, From(reader, start), decode)
                    for pack, start in zip(packs, starts, strict=False)
                ]
                yield group, np.concatenate(parts)

    def _known(self, pack: Pack, packing: Packing, reader: Reader, decode: Decode) -> Numbers:
        """Return the numbers of a pack: those that were kept, else decoded now and kept."""
        shape = (pack.scored, reader.width)
        key = pack.digest(packing)
        kept = self._scores.get(key, reader.key) if self._scores else None
        if kept is not None and len(kept) == shape[0] * shape[1] * np.dtype(reader.kind).itemsize:
            read: NDArray[Any] = np.frombuffer(kept, dtype=reader.kind).reshape(shape)
            return read
        numbers = decode(pack, packing, reader)
        if self._scores:
            self._scores.put(key, reader.key, numbers.tobytes())
        return numbers

    def _decoding(self, stack: ExitStack) -> Decode:
        """Return what decodes packs, each in a context that is large enough; none is made before it is needed."""
        decoder: Decoder | None = None

        def decode(pack: Pack, packing: Packing, reader: Reader) -> Numbers:
            nonlocal decoder
            if decoder is None or pack.cells > decoder.cells or pack.sequences > decoder.sequences:
                stack.close()
                cells = max(CELLS, 1 << (pack.cells - 1).bit_length())
                decoder = stack.enter_context(self._decoder(cells, max(SEQUENCES, pack.sequences)))
            return decoder.run(pack, packing, reader)

        return decode

    def _decoder(self, cells: int, sequences: int) -> Decoder:
        if not self._model:
            raise ValueError("the scorer is closed")
        _log.clear()
        return Decoder(
            self._c,
            self._model,
            vocabulary=self.vocabulary,
            cells=cells,
            sequences=sequences,
            threads=self._threads,
            gpu=self._gpu_layers > 0,
            exact=self._exact,
            said=_last_words,
        )

    def _checked(self, groups: Iterable[Group]) -> Iterator[Group]:
        for number, group in enumerate(groups, 1):
            if why := self.too_long(group):
                raise UsageError(f"sequence {number} has {why}", hint="shorten the text or the window")
            yield group

    def _load(self, weights: Path, overrides: Mapping[str, bool | int | str]) -> Any:
        if not weights.is_file():
            raise EngineError(f"no such file: {weights}", hint="fetch the model first")
        params = self._c.llama_model_default_params()
        params.n_gpu_layers = self._gpu_layers
        params.use_extra_bufts = False
        # A copy in memory: bytes changed on disk later can't change a score.
        params.load_mode = self._c.LLAMA_LOAD_MODE_NONE
        if overrides:
            params.kv_overrides = _overrides(self._c, overrides)
        _log.clear()
        model = self._c.llama_model_load_from_file(str(weights).encode(), params)
        if not model:
            raise EngineError(
                f"llama.cpp can't load {weights}: {_last_words()}",
                hint="check the file: assay verify --deep, assay lint",
            )
        return model


def _apart(pack: Pack, numbers: Numbers) -> Iterator[tuple[Group, Numbers]]:
    at = 0
    for group in pack.groups:
        yield group, numbers[at : at + group.scored]
        at += group.scored
