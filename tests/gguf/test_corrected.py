from __future__ import annotations

from pipeline.gguf.corrected import corrected
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import read_header
from tests import zoo


def test_the_facts_are_those_of_the_corrections() -> None:
    header = read_header(zoo.SOUND)
    values: dict[str, bool | int | str] = {
        "tokenizer.ggml.eos_token_id": 300,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.pre": "llama-bpe",
    }
    facts, before = facts_of(corrected(header, values)), facts_of(header)
    assert (facts.eos_id, facts.add_bos, facts.tokenizer_pre) == (300, True, "llama-bpe")
    assert facts.eos_token == header.metadata["tokenizer.ggml.tokens"][300]
    assert (facts.eot_id, facts.vocabulary, facts.parameters) == (before.eot_id, before.vocabulary, before.parameters)


def test_what_is_stored_of_a_corrected_key_is_as_a_file_stores_it() -> None:
    header = read_header(zoo.SOUND)
    same = {key: header.metadata[key] for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.pre")}
    again = corrected(header, same)
    assert {key: again.raw(key) for key in header.metadata} == {key: header.raw(key) for key in header.metadata}
    assert corrected(header, {"tokenizer.ggml.add_bos_token": True}).raw("tokenizer.ggml.add_bos_token")[4:] == b"\1"


def test_nothing_to_correct_changes_nothing() -> None:
    header = read_header(zoo.SOUND)
    assert corrected(header, {}) is header
