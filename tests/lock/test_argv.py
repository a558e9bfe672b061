from __future__ import annotations

import pytest

from pipeline.core.digest import Digest
from pipeline.lock.argv import compile_argv
from pipeline.spec.model import Chat, Engine, Sampling, Spec

WEIGHTS = Digest.of(b"weights")


def arguments(spec: Spec) -> dict[str, str]:
    argv = compile_argv(spec, WEIGHTS)
    return {flag: value for flag, value in zip(argv, (*argv[1:], ""), strict=True) if flag.startswith("--")}


def test_the_context_of_a_slot_is_what_the_spec_says() -> None:
    found = arguments(Spec(name="m", source="file:x", engine=Engine(context=1000, slots=3)))
    assert (found["--ctx-size"], found["--parallel"]) == ("3000", "3")


def test_a_model_answers_to_its_name_and_to_its_digest() -> None:
    assert arguments(Spec(name="m", source="file:x"))["--alias"] == f"m,m@{WEIGHTS}"


def test_what_llama_server_would_choose_by_itself_is_said() -> None:
    argv = compile_argv(Spec(name="m", source="file:x"), WEIGHTS)
    for flag in (
        "--fit",
        "--cache-ram",
        "--flash-attn",
        "--load-mode",
        "--seed",
        "--no-kv-unified",
        "--no-context-shift",
        "--jinja",
    ):
        assert flag in argv
    assert "auto" not in argv


def test_the_longest_answer_is_the_specs() -> None:
    assert arguments(Spec(name="m", source="file:x"))["--n-predict"] == "-1"
    assert arguments(Spec(name="m", source="file:x", sampling=Sampling(max_tokens=77)))["--n-predict"] == "77"


@pytest.mark.parametrize("value", [1, 1.0])
def test_the_same_number_gives_the_same_text(value: float) -> None:
    spec = Spec(name="m", source="file:x", sampling=Sampling.model_validate({"temperature": value}))
    assert arguments(spec)["--temp"] == "1.0"


def test_nothing_of_this_machine_is_in_it() -> None:
    argv = compile_argv(Spec(name="m", source="file:x", engine=Engine(threads=7)), WEIGHTS)
    assert not any("/" in text for text in argv) and "--threads" not in argv and "7" not in argv


def test_stop_strings_are_the_servers_own_and_mean_what_they_say() -> None:
    argv = compile_argv(Spec(name="m", source="file:x", chat=Chat(stop=("END", r"a\n"))), WEIGHTS)
    assert argv[-4:] == ("--reverse-prompt", "END", "--reverse-prompt", r"a\\n")
    assert "--reverse-prompt" not in compile_argv(Spec(name="m", source="file:x"), WEIGHTS)
