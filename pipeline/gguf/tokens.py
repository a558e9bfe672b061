"""The vocabulary as the engine sees it: texts, types, and which tokens end a generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import cached_property

from pipeline.gguf.header import Header
from pipeline.gguf.types import STRING, TokenType
from pipeline.gguf.values import LENGTH, Array, text

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

FILLER_TEXTS = {
    "fim_pad": frozenset({"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}),
    "fim_rep": frozenset({"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}),
    "fim_sep": frozenset({"<|file_sep|>"}),
}
"""The tokens of fill-in-the-middle that end a generation too, by the role whose id a file may name: the texts by which
llama.cpp knows each where it doesn't.
"""

DEFAULT_BOS = {"llama": 1, "gpt2": 11, "bert": 101, "plamo2": 1}
"""The ids that llama.cpp takes for BOS when a file names none, by ``tokenizer.ggml.model``."""

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
        """Text -> id, the last one's where several tokens have the text. Costs one walk over the vocabulary."""
        if isinstance(self._tokens, Array) and self._tokens.kind == STRING:
            return _Ids(self._tokens)
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

    @property
    def assumed_bos(self) -> int | None:
        """The id that llama.cpp takes for BOS when the file names none."""
        return DEFAULT_BOS.get(str(self._header.metadata.get("tokenizer.ggml.model")))

    @cached_property
    def duplicates(self) -> Mapping[str, tuple[int, ...]]:
        """Text -> ids, for the texts that several tokens have. Compared as bytes, since not all tokens are UTF-8; tokens
        without text don't count, llama.cpp gives each a name of its own.
        """
        if not isinstance(self.ids, _Ids) or len(self.ids) == len(self._tokens) or not isinstance(self._tokens, Array):
            return {}
        seen = dict[bytes, list[int]]()
        for number, token in enumerate(self._tokens.stored()):
            if len(token) > LENGTH.size:
                seen.setdefault(token[LENGTH.size :], []).append(number)
        return {text(token): tuple(numbers) for token, numbers in seen.items() if len(numbers) > 1}

    @cached_property
    def ends(self) -> frozenset[str]:
        """The texts of the tokens that end a generation: those the file names (eos, eot, eom), those llama.cpp knows by
        their text and, as llama.cpp has it, three of fill-in-the-middle.
        """
        named = [self._header.metadata.get(f"tokenizer.ggml.{role}_token_id") for role in ("eos", "eot", "eom")]
        if named[0] is None:
            named[0] = self.assumed_eos
        texts = {self.text(number) for number in named if isinstance(number, int)}
        found = {found for found in texts if found is not None} | (END_TEXTS & self.ids.keys())
        for role, known in FILLER_TEXTS.items():
            number = self._header.metadata.get(f"tokenizer.ggml.{role}_token_id")
            given = self.text(number) if isinstance(number, int) else None
            found |= {given} if given is not None else known & self.ids.keys()
        return frozenset(found - _not_ends(found))


class _Ids(Mapping[str, int]):
    """The ids of texts. Texts are compared as bytes and only those asked for are encoded, as decoding a whole vocabulary
    takes several times as long; tokens that are not UTF-8 are found by their text with U+FFFD, which is slow.
    """

    def __init__(self, tokens: Array) -> None:
        self._tokens = tokens
        self._numbers = dict(zip(tokens.stored(), range(len(tokens)), strict=True))

    @cached_property
    def _decoded(self) -> Mapping[str, int]:
        return {token: number for number, token in enumerate(self._tokens)}

    def __getitem__(self, wanted: str) -> int:
        if "\ufffd" in wanted:
            return self._decoded[wanted]
        raw = wanted.encode("utf-8", "surrogatepass")
        try:
            return self._numbers[LENGTH.pack(len(raw)) + raw]
        except KeyError:
            raise KeyError(wanted) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded)

    def __len__(self) -> int:
        """Return how many different tokens there are, as bytes."""
        return len(self._numbers)


def _not_ends(found: Set[str]) -> frozenset[str]:
    """Return what llama.cpp takes back: ``<|end|>`` where only some of a model's messages end an answer, ``</s>`` where
    it is ordinary text.
    """
    calls, back = bool(found & {"<|call|>", "<|calls|>"}), set[str]()
    if calls and found & {"<|return|>", "<|flush|>"}:
        back.add("<|end|>")
    if found & {"<|tool_response>", "<|plamo:eos|>"}:
        back.add("</s>")
    return frozenset(back)
