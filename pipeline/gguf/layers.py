"""What each layer keeps of the tokens behind it, as llama.cpp reads that from a header (its ``llama-hparams.cpp``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from pipeline.gguf.header import GgufError, Header
from pipeline.gguf.values import Array

# Where the file has no pattern: each how manieth layer sees everything, whether that is the first or the last of its
# group, and the window where the file states none.
_PATTERNS: dict[str, tuple[int, bool, int]] = {
    "afmoe": (4, False, 0),
    "cohere2": (4, False, 0),
    "cohere2moe": (4, True, 0),
    "exaone-moe": (4, False, 128),
    "exaone4": (4, False, 4096),
    "gemma-embedding": (6, False, 0),
    "gemma2": (2, False, 4096),
    "gemma3": (6, False, 0),
    "gemma3n": (5, False, 0),
    "gpt-oss": (2, False, 0),
    "laguna": (4, True, 0),
    "llama4": (4, False, 8192),
    "mellum": (4, False, 0),
    "modern-bert": (3, True, 0),
    "muse-glimmer": (4, False, 0),
    "olmo2": (4, False, 0),
    "plamo3": (8, False, 0),
    "smallthinker": (4, True, 4096),
}
_STATED = frozenset({"gemma4", "granite_swa", "maple", "mimo2", "spark2_5"})
_NO_CACHE = frozenset(
    "bert jina-bert-v2 jina-bert-v3 nomic-bert nomic-bert-moe neo-bert eurobert modern-bert gemma-embedding "
    "wavtokenizer-dec dream llada llada-moe rnd1".split()
)
_EVERY_FOURTH = frozenset({"qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01"})
_BOTH = frozenset({"falcon-h1"})  # attention and a recurrent state in each layer
_MOST_LAYERS, _MOST = 1 << 16, 1 << 32
_FLOAT = 4


@dataclass(frozen=True)
class Layer:
    """One layer. ``kv_heads`` of ``key`` and ``value`` numbers each are kept for a token; a ``window`` that is not 0 is how
    many tokens it looks back; ``state`` are the bytes that it keeps of a whole text, where it is recurrent; ``heads`` ask,
    ``feed`` is the widest of what is computed between its matrices, over the experts that are used.
    """

    heads: int
    kv_heads: int
    key: int
    value: int
    window: int = 0
    state: int = 0
    feed: int = 0


@dataclass(frozen=True)
class _Keys:
    """The metadata of one architecture; a layer's values stand in a list, or one for all."""

    header: Header
    architecture: str
    count: int

    def each(self, key: str, default: int = 0) -> list[int]:
        value = self.header.metadata.get(f"{self.architecture}.{key}", default)
        numbers = value[: self.count] if isinstance(value, Array) else [value] * self.count
        if len(numbers) < self.count or not all(isinstance(one, int) and 0 <= one < _MOST for one in numbers):
            _refuse(self.header, f"{self.architecture}.{key}", value)
        return numbers

    def one(self, key: str, default: int = 0) -> int:
        return (self.each(key, default) or [default])[0]

    def has(self, key: str) -> bool:
        return f"{self.architecture}.{key}" in self.header.metadata


def _refuse(header: Header, key: str, value: object) -> NoReturn:
    raise GgufError(f"{key} can't be what it is, {value!r}", offset=header.spans[key][1])


def layers_of(header: Header) -> list[Layer]:
    """Return the layers; none for a file without any. Raises GgufError for metadata that can't be."""
    architecture = str(header.metadata.get("general.architecture", ""))
    count = header.metadata.get(f"{architecture}.block_count", 0)
    if not isinstance(count, int) or not 0 <= count < _MOST_LAYERS:
        _refuse(header, f"{architecture}.block_count", count)
    keys = _Keys(header, architecture, count)
    if not count:
        return []
    heads = keys.each("attention.head_count")
    kv_heads = keys.each("attention.head_count_kv") if keys.has("attention.head_count_kv") else heads
    width = keys.one("embedding_length") // max(1, max(heads))
    key, value = keys.each("attention.key_length", width), keys.each("attention.value_length", width)
    windows, states, feeds = _windows(keys), _states(keys, kv_heads), _feeds(keys)
    if latent := keys.one("attention.kv_lora_rank"):
        # Multi-head latent attention: one compressed row stands for all heads, its values are a part of its keys.
        kv_heads, value = [min(1, one) for one in kv_heads], [0] * count
        key = [latent + keys.one("rope.dimension_count")] * count
    kept, both = _kept(keys), architecture in _BOTH
    found = zip(heads, kv_heads, key, value, windows, states, feeds, strict=True)
    return [
        Layer(asks, keeps if number < kept and (both or not state) else 0, a_key, a_value, window, state, feed)
        for number, (asks, keeps, a_key, a_value, window, state, feed) in enumerate(found)
    ]


def unknown_part(header: Header) -> str:
    """Return what a header does not tell of a model's memory, "" where nothing is missing."""
    architecture = str(header.metadata.get("general.architecture", ""))
    metadata = header.metadata
    if f"{architecture}.block_count" not in metadata:
        return f"the file does not say how many layers it has ({architecture}.block_count)"
    if any(key.startswith(f"{architecture}.attention.indexer.") for key in metadata):
        return f"an indexer of {architecture} keeps a cache of its own, which is not counted"
    return ""


def _kept(keys: _Keys) -> int:
    """Return how many layers, from the first, have a cache of their own; the others use theirs."""
    if keys.architecture in _NO_CACHE:
        return 0
    if keys.architecture == "gemma3n":
        return 20
    return keys.count - keys.one("attention.shared_kv_layers")


def _windows(keys: _Keys) -> list[int]:
    """Return how far back each layer looks, 0 without bound. An architecture that is not known here to have windows counts
    as if it kept everything.
    """
    every, first, window = _PATTERNS.get(keys.architecture, (0, False, 0))
    window = keys.one("attention.sliding_window", window)
    stated = "attention.sliding_window_pattern"
    if (
        not window
        or not (every or keys.architecture in _STATED)
        or (keys.architecture == "exaone4" and keys.count != 64)
    ):
        return [0] * keys.count
    pattern = keys.header.metadata.get(f"{keys.architecture}.{stated}")
    if isinstance(pattern, Array):
        return [window if one else 0 for one in keys.each(stated)]
    every = pattern if isinstance(pattern, int) and not isinstance(pattern, bool) else every
    if not every:  # llama.cpp: every layer has a window, where the file names a pattern of 0
        return [window if pattern == 0 else 0] * keys.count
    whole = 0 if first else every - 1
    return [0 if number % every == whole else window for number in range(keys.count)]


def _states(keys: _Keys, kv_heads: list[int]) -> list[int]:
    """Return the bytes that each layer keeps of a text whatever its length (``n_embd_r`` and ``n_embd_s``)."""
    width, heads = keys.one("embedding_length"), max(keys.each("attention.head_count"))
    inner, kept, groups = keys.one("ssm.inner_size"), keys.one("ssm.state_size"), keys.one("ssm.group_count")
    before = max(0, keys.one("ssm.conv_kernel") - 1)
    if head := keys.one("wkv.head_size"):
        size = width * (keys.one("token_shift_count", 2) + head)
    elif cache := keys.one("shortconv.l_cache"):
        size = width * (cache - 1) + kept * inner
    elif head := keys.one("kda.head_dim"):
        size = 3 * (before or 3) * heads * head + head * head * heads
    else:
        size = before * (inner + 2 * groups * kept) + kept * inner
    size *= _FLOAT
    if keys.architecture in _EVERY_FOURTH:
        every = max(1, keys.one("full_attention_interval", 4))
        return [size if (number + 1) % every else 0 for number in range(keys.count)]
    if keys.architecture in _BOTH:
        return [size] * keys.count
    feeds = keys.each("feed_forward_length")
    fed = keys.architecture.startswith("nemotron_h")
    return [size if not heads and not (fed and feed) else 0 for heads, feed in zip(kv_heads, feeds, strict=True)]


def _feeds(keys: _Keys) -> list[int]:
    used, expert = keys.one("expert_used_count"), keys.each("expert_feed_forward_length")
    return [
        max(feed, used * of_expert) for feed, of_expert in zip(keys.each("feed_forward_length"), expert, strict=True)
    ]
