from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from pipeline.core.errors import EngineError
from pipeline.lint.evidence.lines import ASKED
from pipeline.lint.evidence.scenes import Scene
from pipeline.lint.evidence.staging import AFTER, Prompter, Staging
from tests import zoo
from tests.conftest import Serve
from tests.lint.played import CALL, scene


@pytest.fixture(scope="module")
def prompter(serve: Serve) -> Iterator[Prompter]:
    yield Prompter(serve(zoo.SOUND))


def test_prompts_and_tokens(prompter: Prompter) -> None:
    prompt = prompter.prompt([ASKED], False)
    assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n") and "quern_lookup" not in prompt
    assert not prompter.prompt([ASKED], False, asked=False).endswith("assistant\n")
    assert "quern_lookup" in prompter.prompt([ASKED], True)
    assert prompter.tokens("<|im_end|>") == [zoo.token("<|im_end|>")]
    assert prompter.prompt([{"role": "user", "content": {}}], False) == ""


def test_a_server_that_hangs_up_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hangs_up = threading.Thread(target=lambda: listening.accept()[0].close())
        hangs_up.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            httpx.Client(base_url=url) as client,
            pytest.raises(EngineError, match="the connection to /tokenize broke"),
        ):
            Prompter(client).tokens("a")
        hangs_up.join()


def placed(prompter: Prompter, *scenes: Scene) -> tuple[list[Scene], dict[str, str]]:
    staging = Staging(prompter)
    return staging.placed(scenes), staging.missing


def test_each_script_has_a_place_of_its_own(prompter: Prompter) -> None:
    first, second = scene(text="Fine<|im_end|>"), scene("letters", text="Well<|im_end|>")
    found, missing = placed(prompter, first, second)
    assert not missing and found[0].script.places.stop <= found[1].script.places.start
    for one, text in zip(found, ("Fine", "Well"), strict=True):
        said = one.script.tokens[:-AFTER]
        assert list(said) == [*prompter.tokens(text), zoo.token("<|im_end|>")]
        assert len(prompter.tokens(prompter.prompt(one.body["messages"], False))) == one.script.prompt
        assert one.body["max_tokens"] == len(one.script.tokens)


def test_what_is_the_same_shares_a_place(prompter: Prompter) -> None:
    thinks = scene("thought", text="A long thought, then.Fine", thought="A long thought, then.")
    (whole, cut), _ = placed(prompter, thinks, replace(thinks, name="cut-thought", whole=False))
    assert whole.script == cut.script and (cut.name, cut.whole) == ("cut-thought", False)
    assert 2 <= cut.body["max_tokens"] < len(prompter.tokens("A long thought, then."))


def test_two_calls_are_asked_for(prompter: Prompter) -> None:
    (one, two), _ = placed(
        prompter, scene("call", calls=(CALL,), tools=True), scene("parallel", text="x", calls=(CALL, CALL), tools=True)
    )
    assert "parallel_tool_calls" not in one.body and two.body["parallel_tool_calls"] is True
    assert one.body["tools"] == two.body["tools"]


def test_a_line_without_a_token_has_no_place(prompter: Prompter) -> None:
    found, missing = placed(prompter, scene(text=""))
    assert found == [] and missing == {"answer": "its prompt can't be given a length of its own"}
