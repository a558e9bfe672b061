from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.core.progress import SILENT
from pipeline.evals.kinds.multiple_choice import EXAMPLE, Config, Data, Row, load, measure
from pipeline.runtime.binding import Scorer

WEIGHTS = Path(__file__).parents[3] / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
CHAT = {
    **EXAMPLE,
    "prompt": "chat",
    "context": "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
    "choice": "{choice}",
}


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def row(**changes: object) -> Row:
    content = {
        "id": "a",
        "skill": "s",
        "question": "Hello!",
        "choices": ["zzz qqq", "Hello! How can I help you?"],
        "answer": 1,
    }
    return Row.model_validate(content | changes)


def test_an_item_shows_how_it_was_decided(scorer: Scorer) -> None:
    config = Config.model_validate(CHAT)
    metrics, (item,) = measure(config, Data((row(),)), scorer, SILENT)
    assert item.score == 1
    wrong, right = item.detail["choices"]
    assert item.detail["prompt"] == "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"
    assert (item.detail["answer"], item.detail["picked"], item.detail["picked_norm"]) == (1, 1, 1)
    assert item.detail["margin"] == pytest.approx(right["logprob"] - wrong["logprob"], abs=1e-5)
    assert right["bytes"] == 26 and right["tokens"] == len(scorer.tokenize("Hello! How can I help you?"))
    assert [(metric.name, metric.value, metric.n) for metric in metrics[:6]] == [
        ("acc", 1, 1),
        ("acc_norm", 1, 1),
        ("acc@s", 1, 1),
        ("acc_stable", 1, 1),
        ("unstable", 0, 1),
        ("unknown", 0, 1),
    ]
    assert sum(right["logprobs"]) == pytest.approx(right["logprob"], abs=1e-4)
    assert len(right["logprobs"]) == right["tokens"]


def test_a_wrong_answer_counts_as_wrong(scorer: Scorer) -> None:
    metrics, (item,) = measure(Config.model_validate(CHAT), Data((row(answer=0),)), scorer, SILENT)
    assert (item.score, metrics[0].value) == (0, 0)
    assert item.detail["margin"] < 0


def test_skills_are_counted_apart(scorer: Scorer) -> None:
    rows = Data((row(), row(id="b", skill="t", answer=0), row(id="c")))
    metrics, _ = measure(Config.model_validate(CHAT), rows, scorer, SILENT)
    values = {metric.name: (metric.value, metric.n) for metric in metrics}
    assert values["acc"] == (2 / 3, 3)
    assert (values["acc@s"], values["acc@t"]) == ((1, 2), (0, 1))


def test_chat_prompts_read_special_tokens_and_plain_ones_do_not(scorer: Scorer) -> None:
    chat, plain = (Config.model_validate(CHAT | {"prompt": prompt}) for prompt in ("chat", "plain"))
    _, (one,) = measure(chat, Data((row(),)), scorer, SILENT)
    _, (other,) = measure(plain, Data((row(),)), scorer, SILENT)
    assert one.detail["choices"][1]["logprob"] > other.detail["choices"][1]["logprob"]


def test_an_item_longer_than_the_context_is_unknown_and_the_others_are_not(scorer: Scorer) -> None:
    rows = Data((row(), row(id="b", question="long " * 2000), row(id="c"), row(id="d", question="long " * 2000)))
    metrics, items = measure(Config.model_validate(CHAT), rows, scorer, SILENT)
    values = {metric.name: (metric.value, metric.n) for metric in metrics}
    assert [item.id for item in items] == ["a", "b", "c", "d"]
    assert [item.detail["verdict"] for item in items] == ["right", "unknown", "right", "unknown"]
    assert "the model was trained for 1024" in items[1].detail["reason"]
    assert items[1].score == 0 and values["acc"] == (0.5, 4) and values["unknown"] == (2, 4)
    only = Data((rows.items[1],))
    assert measure(Config.model_validate(CHAT), only, scorer, SILENT)[0][0].value == 0


def test_examples_stand_in_front_of_every_item(scorer: Scorer, tmp_path: Path) -> None:
    config = Config.model_validate({**EXAMPLE, "examples": "examples.jsonl", "separator": "\n--\n"})
    shots = [row(id=f"shot-{i}", question=f"Number {i}?", choices=["no", f"it is {i}"]) for i in range(3)]
    (tmp_path / "examples.jsonl").write_text("\n".join(shot.model_dump_json() for shot in shots))
    (tmp_path / "items.jsonl").write_text(row().model_dump_json())
    data = load(config, tmp_path)
    _, (item,) = measure(config, data, scorer, SILENT)
    assert item.detail["prompt"].startswith("Question: Number 0?\nAnswer: it is 0\n--\nQuestion: Number 1?")
    assert item.detail["prompt"].endswith("it is 2\n--\nQuestion: Hello!\nAnswer:")


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": 2},
        {"answer": -1},
        {"choices": ["a"]},
        {"choices": ["a", "a"]},
        {"choices": ["a", ""]},
        {"id": ""},
        {"more": 1},
    ],
)
def test_faulty_items_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        row(**changes)


@pytest.mark.parametrize(
    "changes", [{"context": "no place"}, {"choice": "x"}, {"data": "../items.jsonl"}, {"prompt": "other"}]
)
def test_faulty_configs_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(EXAMPLE | changes)
