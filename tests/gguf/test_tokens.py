from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from llama_cpp import Llama

from pipeline.gguf.header import read_header
from pipeline.gguf.tokens import Vocabulary
from pipeline.gguf.types import TokenType
from tests import zoo
from tests.lint.made import tokens


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
    known = Vocabulary(read_header(path))
    ends = {known.text(i) for i in range(len(known)) if llama_vocab_is_eog(model._model.vocab, i)}
    model.close()
    return {text for text in ends if text is not None}


def test_ends_are_those_of_the_engine(tmp_path: Path) -> None:
    for name in ("eos-opens-turns", "end-of-turn-not-named", "eos-missing"):
        path = tmp_path / f"{name}.gguf"
        zoo.DEFECTS[name].make(path)
        assert set(Vocabulary(read_header(path)).ends) == engine_ends(path), name
    assert set(Vocabulary(read_header(zoo.SOUND)).ends) == engine_ends(zoo.SOUND)


@pytest.mark.parametrize(
    "texts",
    [
        ("<|return|>", "<|call|>", "<|end|>"),
        ("<|calls|>", "<|flush|>", "<|end|>"),
        ("<|return|>", "<|end|>"),
        ("<|tool_response>", "</s>"),
        ("<fim_pad>", "<|repo_name|>", "<|file_sep|>"),
    ],
)
def test_ends_that_come_from_texts_are_those_of_the_engine(texts: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "texts.gguf"
    changed = [*zoo.value("tokenizer.ggml.tokens")]
    changed[700 : 700 + len(texts)] = texts
    zoo.rewrite(path, {"tokenizer.ggml.tokens": changed})
    found = Vocabulary(read_header(path)).ends
    assert set(found) == engine_ends(path)
    assert found & set(texts)


def test_a_role_of_fill_in_the_middle_that_the_file_names_ends_too(tmp_path: Path) -> None:
    path = tmp_path / "named.gguf"
    zoo.changed(tokenizer__ggml__fim_pad_token_id=zoo.Typed(300, gguf.GGUFValueType.UINT32))(path)
    assert "of" in Vocabulary(read_header(path)).ends and set(Vocabulary(read_header(path)).ends) == engine_ends(path)


def test_tokens_that_are_the_same() -> None:
    assert Vocabulary(read_header(zoo.SOUND)).duplicates == {}


def test_ids_are_those_of_a_walk_over_the_decoded_tokens() -> None:
    vocabulary = Vocabulary(read_header(zoo.SOUND))
    texts = zoo.value("tokenizer.ggml.tokens")
    assert dict(vocabulary.ids) == {text: number for number, text in enumerate(texts)}
    assert len(vocabulary.ids) == len(set(texts))
    assert "no such token" not in vocabulary.ids and "\ud800" not in vocabulary.ids


def test_tokens_that_are_not_utf8_are_found_and_told_apart() -> None:
    vocabulary = tokens(b"\xff", b"\xfe", "\ufffd".encode(), b"a", b"a", b"").vocabulary
    assert vocabulary.ids["\ufffd"] == 2 and "b" not in vocabulary.ids
    assert vocabulary.duplicates == {"a": (3, 4)}
