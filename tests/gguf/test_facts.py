from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.canonical import canonical_bytes
from pipeline.core.digest import Digest
from pipeline.gguf.facts import TEMPLATE_KEY, Facts, facts_of
from pipeline.gguf.header import GgufError, parse_header, read_header
from tests import zoo
from tests.gguf.build import ARCHITECTURE, STRING, UINT32, file, pair, text


def facts(*pairs: bytes) -> Facts:
    content = file([ARCHITECTURE, *pairs])
    return facts_of(parse_header(content, len(content)))


def test_sound_model() -> None:
    found = facts_of(read_header(zoo.SOUND))
    assert (found.architecture, found.name, found.license, found.quantization) == (
        "llama",
        "tiny-chat",
        "apache-2.0",
        "Q8_0",
    )
    assert (found.tokenizer_model, found.tokenizer_pre, found.add_bos) == ("gpt2", "qwen2", False)
    assert (found.eos_token, found.eot_token, found.bos_token) == ("<|im_end|>", "<|im_end|>", "<|endoftext|>")
    assert found.parameters > 1_000_000 and found.context_length == 1024
    assert found.chat_template is not None and found.template_digest == Digest.of(found.chat_template.encode())


def test_summary_is_plain_json_without_the_template() -> None:
    summary = facts_of(read_header(zoo.SOUND)).summary()
    assert json.loads(canonical_bytes(summary)) == summary
    assert "chat_template" not in summary and summary["template_digest"].startswith("sha256:")
    assert len(canonical_bytes(summary)) < 2000


def test_digests_tell_what_changed(tmp_path: Path) -> None:
    def variant(name: str, changes: dict[str, object]) -> Facts:
        zoo.rewrite(tmp_path / name, changes)
        return facts_of(read_header(tmp_path / name))

    same, template, eos = variant("a", {}), variant("b", {TEMPLATE_KEY: "other"}), variant("c", {zoo.EOS: 5})
    assert (template.kv_digest == same.kv_digest, template.template_digest == same.template_digest) == (True, False)
    assert (eos.kv_digest == same.kv_digest, eos.template_digest == same.template_digest) == (False, True)


def test_kv_digest_does_not_hang_on_the_order_of_keys() -> None:
    one, two = pair("a", UINT32, b"\1\0\0\0"), pair("b", STRING, text("x"))
    assert facts(one, two).kv_digest == facts(two, one).kv_digest
    assert facts(one).kv_digest != facts(one, two).kv_digest


def test_a_file_that_says_little_gives_none() -> None:
    found = facts()
    assert (found.chat_template, found.template_digest, found.eos_id, found.context_length) == (None, None, None, None)
    assert (found.vocabulary, found.parameters, found.shards, found.quantization) == (0, 0, 1, "none")


@pytest.mark.parametrize(
    ("key", "kind", "value"),
    [("llama.context_length", STRING, text("long")), (TEMPLATE_KEY, UINT32, b"\0\0\0\0"), (zoo.EOS, 5, b"\xff" * 4)],
)
def test_a_key_of_the_wrong_type_is_refused(key: str, kind: int, value: bytes) -> None:
    with pytest.raises(GgufError, match=key):
        facts(pair(key, kind, value))


def test_no_architecture_is_refused() -> None:
    with pytest.raises(GgufError, match="architecture"):
        facts_of(parse_header(file(), len(file())))


@pytest.mark.parametrize(
    ("model", "pre", "said", "adds"),
    [("llama", None, None, True), ("gpt2", "llama-bpe", None, True), ("gpt2", "qwen2", None, False)]
    + [("llama", None, False, False), ("gpt2", "qwen2", True, True), ("gemma4", None, False, True)],
)
def test_bos_is_added_as_the_engine_does(model: str, pre: str | None, said: bool | None, adds: bool) -> None:
    pairs = [pair("tokenizer.ggml.model", STRING, text(model))]
    pairs += [pair("tokenizer.ggml.pre", STRING, text(pre))] if pre else []
    pairs += [pair("tokenizer.ggml.add_bos_token", 7, bytes([said]))] if said is not None else []
    assert facts(*pairs).adds_bos is adds
