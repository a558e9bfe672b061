from __future__ import annotations

import signal
import struct
from pathlib import Path

import gguf
import llama_cpp.llama_cpp
import pytest

from pipeline.core.errors import EngineError
from pipeline.gguf.header import parse_header, read_header
from pipeline.gguf.tokens import Vocabulary
from pipeline.gguf.types import ARRAY, STRING
from pipeline.gguf.write import changed, packed, write_gguf
from pipeline.runtime import _vocabulary, vocabulary
from pipeline.runtime.vocabulary import Reading, Refusal, read_vocabulary
from tests import zoo

SAID = "<|im_start|>user\nHello!<|im_end|>"


def reading(path: Path, *texts: tuple[str, bool]) -> Reading:
    said = read_vocabulary(read_header(path), texts)
    assert isinstance(said, Reading), said
    return said


def refusal(path: Path) -> Refusal:
    said = read_vocabulary(read_header(path))
    assert isinstance(said, Refusal), said
    return said


def test_the_sound_model() -> None:
    end = zoo.token("<|im_end|>")
    said = reading(zoo.SOUND, (SAID, True), ("", False))
    assert said.ends == {end, zoo.token("<|endoftext|>")} and (said.eos, said.eot) == (end, end)
    assert (said.size, said.add_bos, said.add_eos, said.log) == (
        len(zoo.value("tokenizer.ggml.tokens")),
        False,
        False,
        (),
    )
    assert said.tokens[0] and (said.tokens[0][0], said.tokens[0][-1]) == (zoo.token("<|im_start|>"), end)
    assert said.tokens[1] == ()


def test_the_bytes_before_the_weights_are_enough() -> None:
    content = zoo.SOUND.read_bytes()
    header = parse_header(content[: read_header(zoo.SOUND).data_offset], len(content))
    assert read_vocabulary(header, [(SAID, False)]) == reading(zoo.SOUND, (SAID, False))


def test_it_adds_what_the_model_adds(tmp_path: Path) -> None:
    zoo.changed(tokenizer__ggml__add_bos_token=True)(tmp_path / "adds.gguf")
    said = reading(tmp_path / "adds.gguf", ("Hello", True), ("Hello", False))
    with_it, without = said.tokens
    assert said.add_bos and with_it and without and with_it == (said.bos, *without)


@pytest.mark.parametrize("name", ["eos-opens-turns", "end-of-turn-not-named", "eos-missing"])
def test_ends_are_those_of_the_bindings(name: str, tmp_path: Path) -> None:
    from llama_cpp import Llama, llama_vocab_is_eog

    zoo.DEFECTS[name].make(tmp_path / "made.gguf")
    model = Llama(str(tmp_path / "made.gguf"), vocab_only=True, verbose=False)
    size = len(Vocabulary(read_header(tmp_path / "made.gguf")))
    assert reading(tmp_path / "made.gguf").ends == {i for i in range(size) if llama_vocab_is_eog(model._model.vocab, i)}
    model.close()


def test_what_the_engine_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    zoo.DEFECTS["pre-unknown"].make(tmp_path / "made.gguf")
    said = refusal(tmp_path / "made.gguf")
    assert said.ending == "" and any("unknown pre-tokenizer type: 'qwen99'" in line for line in said.log)


def test_where_the_engine_aborts_we_live(tmp_path: Path) -> None:
    zoo.DEFECTS["token-twice"].make(tmp_path / "made.gguf")
    said = refusal(tmp_path / "made.gguf")
    assert said.ending == "killed by SIGABRT"
    assert any("GGML_ASSERT(id_to_token.size() == token_to_id.size())" in line for line in said.log)


def test_the_users_file_is_not_named_otherwise(tmp_path: Path) -> None:
    zoo.DEFECTS["pre-unknown"].make(tmp_path / "made.gguf")
    assert not any("/tmp" in line or "vocabulary.gguf" in line for line in refusal(tmp_path / "made.gguf").log)


def test_what_takes_too_long_is_ended() -> None:
    said = read_vocabulary(read_header(zoo.SOUND), [("a" * 3_000_000, False)] * 20, cpu=1)
    assert isinstance(said, Refusal) and said.ending.startswith("killed by SIG")


def test_a_file_of_a_split_set_needs_no_other(tmp_path: Path) -> None:
    parts = {"split__no": 0, "split__count": 3, "split__tensors__count": 9}
    zoo.changed(**{key: zoo.Typed(value, gguf.GGUFValueType.UINT16) for key, value in parts.items()})(
        tmp_path / "made-00001-of-00003.gguf"
    )
    assert reading(tmp_path / "made-00001-of-00003.gguf").size > 0


def test_the_parameters_are_laid_out_as_the_bindings_have_them() -> None:
    ours, theirs = _vocabulary.ModelParams, llama_cpp.llama_cpp.llama_model_params

    def layout(structure: type) -> list[tuple[str, int, int]]:
        fields = structure._fields_  # type: ignore[attr-defined]
        return [(item[0], getattr(structure, item[0]).offset, getattr(structure, item[0]).size) for item in fields]

    assert layout(ours) == layout(theirs)


def test_a_vocabulary_that_is_all_warnings_fills_no_memory(tmp_path: Path) -> None:
    """llama.cpp warns of each empty token."""
    header = read_header(zoo.SOUND)
    count = 50_000
    empty = struct.pack("<IIQ", ARRAY, STRING, count) + bytes(8 * count)
    changes: dict[str, bytes | None] = {
        "tokenizer.ggml.model": packed("llama"),
        "tokenizer.ggml.tokens": empty,
        **dict.fromkeys(("tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.merges")),
    }
    write_gguf(tmp_path / "empty.gguf", changed(header, changes))
    said = read_vocabulary(read_header(tmp_path / "empty.gguf"))
    assert any("empty token at index 0" in line for line in said.log)
    assert sum(map(len, said.log)) <= 2 * _vocabulary.MOST_LOGGED < 20 * count


def test_a_process_that_was_started_ahead_reads_the_next_one() -> None:
    vocabulary.warm()
    ((_, ahead),) = vocabulary._READY._waiting
    assert reading(zoo.SOUND, (SAID, True)).tokens[0]
    assert ahead.returncode == 0 and not vocabulary._READY._waiting


def test_one_that_ended_while_it_waited_is_not_asked() -> None:
    vocabulary.warm()
    ((_, ahead),) = vocabulary._READY._waiting
    ahead.kill()
    ahead.wait()
    assert reading(zoo.SOUND, (SAID, True)).tokens[0]
    ahead.communicate()


def test_what_waits_is_ended_with_us() -> None:
    vocabulary.warm()
    ((_, ahead),) = vocabulary._READY._waiting
    vocabulary._READY.empty()
    assert ahead.returncode == -signal.SIGKILL
    vocabulary._READY.empty()


def test_a_library_that_can_not_be_loaded_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "libllama.so"
    broken.write_text("no library")
    monkeypatch.setattr(vocabulary, "bound_library", lambda: broken)
    with pytest.raises(EngineError, match="can't be loaded"):
        read_vocabulary(read_header(zoo.SOUND))
