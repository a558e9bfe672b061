from __future__ import annotations

from typing import Any

from pipeline.core.digest import Digest
from pipeline.lock.meaning import meaning
from pipeline.lock.model import Lockfile
from tests import factories

SAME = (True, "the tensors of both are x")


def other(**gguf: Any) -> Lockfile:
    content = factories.lock().content()
    content["gguf"] = {**content["gguf"], **gguf}
    return Lockfile.model_validate(content)


def said(
    old: Lockfile, new: Lockfile, weights: tuple[bool | None, str] = SAME, templates: tuple[Any, Any] = ("a", "a")
) -> list[str]:
    return [str(one) for one in meaning(old, new, weights, templates)]


def test_weights_and_template_are_told_even_when_they_stayed() -> None:
    lock = factories.lock()
    assert said(lock, lock) == ["weights: unchanged (the tensors of both are x)", "chat template: unchanged"]
    assert said(lock, lock, (None, "samples"), (None, None)) == [
        "weights: seem unchanged (samples)",
        "chat template: none, as before",
    ]


def test_a_template_is_shown_as_a_diff() -> None:
    lock = factories.lock()
    lines = said(lock, lock, templates=("one\ntwo\nthree", "one\n2\nthree"))[1].splitlines()
    assert lines[0] == "chat template: changed" and "  -two" in lines and "  +2" in lines
    assert said(lock, lock, templates=(None, "x"))[1] == "chat template: added"
    assert said(lock, lock, templates=("x", None))[1] == "chat template: removed"


def test_what_else_moved_is_said_in_the_terms_of_who_runs_it() -> None:
    new = other(eos_token="</s>", context_length=99, quantization="Q4_0")
    told = said(other(eos_token="<|im_end|>", eot_token=None, context_length=1024, quantization="Q8_0"), new)[2:]
    assert told == ["stop tokens: <|im_end|> -> </s>", "context: 1024 -> 99", "quantization: Q8_0 -> Q4_0"]


def test_other_metadata_is_told_as_far_as_it_is_known() -> None:
    assert said(other(kv_digest="sha256:1"), other(kv_digest="sha256:2"))[-1] == "other metadata: sha256:1 -> sha256:2"
    old, new = other(kv_digest="1", context_length=1), other(kv_digest="2", context_length=2)
    assert said(old, new)[2:] == [
        "context: 1 -> 2",
        "other metadata: may have moved too, the locks don't tell (1 -> 2)",
    ]

    def with_keys(*keys: str) -> list[str]:
        return [str(one) for one in meaning(old, new, SAME, ("a", "a"), keys)][3:]

    assert with_keys("llama.context_length") == []
    assert with_keys("llama.context_length", "llama.rope.freq_base") == ["other metadata: llama.rope.freq_base"]
    assert with_keys("tokenizer.ggml.eos_token_id") == ["other metadata: tokenizer.ggml.eos_token_id"]


def test_files_beside_the_weights_are_told_by_what_they_are_for() -> None:
    def beside(*files: tuple[str, str]) -> Lockfile:
        content = factories.lock().content()
        more = [
            {**content["files"][0], "role": role, "path": role, "sha256": str(Digest.of(x.encode()))}
            for role, x in files
        ]
        return Lockfile.model_validate({**content, "files": [*content["files"], *more]})

    old, new = beside(("params", "1"), ("template", "1")), beside(("params", "2"), ("license", "1"), ("template", "2"))
    assert said(old, new)[1:] == [
        "chat template: its own file is changed; in the weights: unchanged",
        "params: changed",
        "licence file: added",
    ]
    assert "params: removed" in said(old, beside(("template", "1")))
    assert said(old, beside(("template", "1"), ("params", "1"))) == said(old, old)
