"""The vocabulary as the engine sees it: texts, types, and which tokens end a generation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pipeline.gguf.header import Header
from pipeline.gguf.types import TokenType
from pipeline.gguf.values import Array

EOT_TEXTS = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "<｜end▁of▁sentence｜>",
        "<end_of_utterance>",
    }
)
"""Texts by which llama.cpp takes a token for the end of a turn when the file names none (``llama-vocab.cpp``)."""

END_TEXTS = EOT_TEXTS | {
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "</s>",
    "<|eom_id|>",
    "[EOS]",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
}
"""Texts that llama.cpp lets end a generation, whatever the file's ids say."""

DEFAULT_EOS = {"llama": 2, "gpt2": 11, "t5": 1, "plamo2": 2}
"""The ids that llama.cpp takes for EOS when a file names none, by ``tokenizer.ggml.model``."""


class Vocabulary:
    """The tokens of a header. Ids outside the vocabulary have no text and no type."""

    def __init__(self, header: Header) -> None:
        self._header = header
        tokens, types = header.metadata.get("tokenizer.ggml.tokens"), header.metadata.get("tokenizer.ggml.token_type")
        self._tokens = tokens if isinstance(tokens, Array) else ()
        self._types = types if isinstance(types, Array) else ()

    def __len__(self) -> int:
        return len(self._tokens)

    def text(self, number: int | None) -> str | None:
        """Return a token's text, None where there is no such token."""
        return str(self._tokens[number]) if number is not None and 0 <= number < len(self._tokens) else None

    def kind(self, number: int) -> TokenType:
        """Return a token's type; NORMAL where the file doesn't say or says something unknown."""
        value = self._types[number] if 0 <= number < len(self._types) else TokenType.NORMAL
        return TokenType(value) if value in set(TokenType) else TokenType.NORMAL

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Text -> id. Costs one walk over the vocabulary."""
        return {token: number for number, token in enumerate(self._tokens)}

    @cached_property
    def special(self) -> frozenset[str]:
        """The texts of all control and user-defined tokens."""
        wanted = {int(TokenType.CONTROL), int(TokenType.USER_DEFINED)}
        return frozenset(
            self._tokens[i] for i, kind in enumerate(self._types) if kind in wanted and i < len(self._tokens)
        )

    @property
    def assumed_eos(self) -> int | None:
        """The id that llama.cpp takes for EOS when the file names none."""
        return DEFAULT_EOS.get(str(self._header.metadata.get("tokenizer.ggml.model")))

    @cached_property
    def ends(self) -> frozenset[str]:
        """The texts of the tokens that end a generation: those the file names (eos, eot, eom) and those llama.cpp
        knows by their text.
        """
        named = [self._header.metadata.get(f"tokenizer.ggml.{role}_token_id") for role in ("eos", "eot", "eom")]
        if named[0] is None:
            named[0] = self.assumed_eos
        texts = {self.text(number) for number in named if isinstance(number, int)}
        return frozenset({found for found in texts if found is not None} | (END_TEXTS & self.ids.keys()))
