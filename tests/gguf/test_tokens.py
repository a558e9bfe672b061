from __future__ import annotations

from pathlib import Path

from llama_cpp import Llama

from pipeline.gguf.header import read_header
from pipeline.gguf.tokens import Vocabulary
from pipeline.gguf.types import TokenType
from tests import zoo


def test_sound_model() -> None:
    vocabulary = Vocabulary(read_header(zoo.SOUND))
    end = vocabulary.ids["<|im_end|>"]
    assert (vocabulary.text(end), vocabulary.kind(end)) == ("<|im_end|>", TokenType.CONTROL)
    assert vocabulary.special == {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"}


def test_what_lies_outside_has_no_text_and_no_special_type() -> None:
    vocabulary = Vocabulary(read_header(zoo.SOUND))
    for number in (-1, len(vocabulary), 1 << 40):
        assert (vocabulary.text(number), vocabulary.kind(number)) == (None, TokenType.NORMAL)


def engine_ends(path: Path) -> set[str]:
    """The texts that the engine itself takes for an end."""
    from llama_cpp import llama_vocab_is_eog

    model = Llama(str(path), vocab_only=True, verbose=False)
    tokens = Vocabulary(read_header(path))
    ends = {tokens.text(i) for i in range(len(tokens)) if llama_vocab_is_eog(model._model.vocab, i)}
    model.close()
    return {text for text in ends if text is not None}


def test_ends_are_those_of_the_engine(tmp_path: Path) -> None:
    for name in ("eos-opens-turns", "end-of-turn-not-named", "eos-missing"):
        path = tmp_path / f"{name}.gguf"
        zoo.DEFECTS[name].make(path)
        assert set(Vocabulary(read_header(path)).ends) == engine_ends(path), name
    assert set(Vocabulary(read_header(zoo.SOUND)).ends) == engine_ends(zoo.SOUND)
