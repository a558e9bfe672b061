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


def test_a_model_of_vectors_computes_a_text_at_once_in_a_cache_that_all_slots_share() -> None:
    engine = Engine(context=300, slots=2, pooling="mean")
    made = Spec(name="m", source="file:x", profile="embedding", engine=engine)
    found, argv = arguments(made), compile_argv(made, WEIGHTS)
    assert (found["--batch-size"], found["--ubatch-size"], found["--pooling"]) == ("300", "300", "mean")
    assert {"--embeddings", "--kv-unified"} < set(argv) and "--no-kv-unified" not in argv
    last = arguments(made.model_copy(update={"engine": Engine(context=300, micro_batch=128, pooling="last")}))
    assert (last["--batch-size"], last["--ubatch-size"]) == ("128", "128")
    stated = compile_argv(made.model_copy(update={"engine": Engine()}), WEIGHTS)
    assert "--pooling" not in stated
    assert "--reranking" in compile_argv(Spec(name="m", source="file:x", profile="rerank"), WEIGHTS)


def test_what_came_later_is_in_no_spec_that_does_not_say_it() -> None:
    assert "pooling" not in Spec(name="m", source="file:x").content()["engine"]
    said = Spec(name="m", source="file:x", profile="embedding", engine=Engine(pooling="cls")).content()
    assert said["engine"]["pooling"] == "cls" and Spec.model_validate(said).content() == said
