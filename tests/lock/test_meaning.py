from __future__ import annotations

from typing import Any

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


def test_other_metadata_is_told_where_nothing_else_explains_it() -> None:
    assert said(other(kv_digest="sha256:1"), other(kv_digest="sha256:2"))[-1] == "other metadata: sha256:1 -> sha256:2"
    assert not any(
        "other metadata" in line
        for line in said(other(kv_digest="1", vocabulary=1), other(kv_digest="2", vocabulary=2))
    )
