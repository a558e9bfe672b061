from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import SpecError, UsageError
from pipeline.core.progress import SILENT
from pipeline.evals.kinds.long_context import EXAMPLE, Config, haystack, judge, load, measure
from tests.conftest import ROOT, Serve
from tests.evals.kinds.server import said, tiny

PLAIN = ROOT / "evals" / "plain-text"


def config(**changes: Any) -> Config:
    return Config.model_validate({**EXAMPLE, "lengths": [300, 600], "needles": 1, "max_tokens": 16, **changes})


def test_haystacks_have_their_length_and_the_needle_its_depth(serve: Serve, tiny_chat: Path) -> None:
    server = tiny(serve(tiny_chat))
    data = load(config(distractors=2), PLAIN)
    sizes = dict(zip(data.sentences, server.count_tokens([f" {one}" for one in data.sentences]), strict=True))
    for cell in data.cells:
        text = haystack(cell, data.sentences, sizes, server)
        assert haystack(cell, data.sentences, sizes, server) == text
        (size,) = server.count_tokens([text])
        assert cell.length - max(sizes.values()) - 16 < size <= cell.length
        place, code = cell.codes[0]
        needle = f"The code of the {place} is {code}."
        before, _, after = text.partition(needle)
        assert text.count(needle) == 1 and text.endswith(
            f"What is the code of the {place}? Answer with the number alone."
        )
        share = len(before.strip()) / (len(before.strip()) + len(after.removesuffix(cell.question).strip()))
        assert abs(share - cell.depth) < 0.25, "sentences are not cut"
        assert share == cell.depth or cell.depth == 0.5
        assert all(f"The code of the {where} is {number}." in text for where, number in cell.codes[1:])


def test_tiny_chat_is_asked_every_cell_and_the_same_again(serve: Serve, tiny_chat: Path) -> None:
    server = tiny(serve(tiny_chat))
    data = load(config(), PLAIN)
    metrics, items = measure(config(), data, server, SILENT)
    assert [item.id for item in items] == ["300-0-01", "300-0.5-01", "300-1-01", "600-0-01", "600-0.5-01", "600-1-01"]
    assert {item.detail["verdict"] for item in items} <= {"right", "wrong"}
    assert all(item.detail["answer"] for item in items)
    names = [metric.name for metric in metrics]
    assert names == ["acc", "unknown", "at_once", "acc@300", "acc@600", "acc@depth=0", "acc@depth=0.5", "acc@depth=1"]
    assert measure(config(), data, server, SILENT) == (metrics, items)


def test_what_does_not_fit_the_context_is_unknown_and_not_asked(serve: Serve, tiny_chat: Path) -> None:
    server = tiny(serve(tiny_chat))
    long = config(lengths=[300, 1000], depths=[0.5])
    metrics, (short, over) = measure(long, load(long, PLAIN), server, SILENT)
    assert short.detail["verdict"] != "unknown"
    assert (over.detail["verdict"], over.score, over.detail["prompt"]) == ("unknown", 0, "")
    assert over.detail["reason"] == "1000 tokens and an answer of 16 do not fit a slot's context of 1024"
    assert {metric.name: metric.value for metric in metrics}["unknown"] == 1
    none = config(lengths=[5000])
    with pytest.raises(UsageError, match="no length of the suite fits a slot's context of 1024 tokens"):
        measure(none, load(none, PLAIN), server, SILENT)


def test_verdicts() -> None:
    cell = load(config(distractors=1), PLAIN).cells[0]
    (_, code), (_, other) = cell.codes
    assert judge(config(), cell, said(f"It is {code}.")).verdict == "right"
    assert judge(config(), cell, said(f"{code}1")).verdict == "wrong"
    assert judge(config(), cell, said(f"{code} or {other}")).reason == f"it holds the code of another: {other}"
    assert judge(config(), cell, said("I don't know")).reason == "the code is not in the answer"
    assert judge(config(), cell, said("It", finish="length", tokens=2)).verdict == "unknown"


def test_cells_follow_from_the_configuration_alone() -> None:
    one, same = load(config(), PLAIN), load(config(), PLAIN)
    assert one == same and len(one) == 6
    assert load(config(seed=1), PLAIN).cells[0].codes != one.cells[0].codes
    assert len({cell.codes[0][1] for cell in one.cells}) == 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One. Two.", "2 sentences are too few"),
        ("The code of the door is 3. " * 30, "speaks of codes itself"),
        ("", "empty"),
    ],
)
def test_a_text_that_is_no_haystack_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(SpecError, match=words):
        load(config(), tmp_path)


@pytest.mark.parametrize("changes", [{"lengths": []}, {"lengths": [10]}, {"depths": [1.5]}, {"needles": 0}])
def test_faulty_configs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**changes)
