from __future__ import annotations

from pathlib import Path

import gguf

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number, tokens
from tests.lint.subjects import findings, one, sound

UINT16 = gguf.GGUFValueType.UINT16


def test_good() -> None:
    assert findings("A305", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A305", made(tmp_path, "layers-missing"), Severity.ERROR)
    assert "says 5 layers and holds 4" in found.message and "blk.4 is not there" in found.evidence
    assert "blk.3 lies beyond it" in one("A305", made(tmp_path, "layers-beyond"), Severity.ERROR).evidence


def test_layers_that_predict_further_tokens_may_be_left_out(tmp_path: Path) -> None:
    left_out = zoo.changed(llama__block_count=5, llama__nextn_predict_layers=number(1))
    assert findings("A305", made(tmp_path, left_out)) == []


def test_a_missing_key_is_judged_elsewhere(tmp_path: Path) -> None:
    assert findings("A305", made(tmp_path, "layers-not-said")) == []


def test_part_of_a_set_and_a_file_without_layers_are_not_judged(tmp_path: Path) -> None:
    part = zoo.changed(split__count=zoo.Typed(2, UINT16), split__no=zoo.Typed(0, UINT16))
    assert "not all files" in rules()["A305"].skip(made(tmp_path, part))
    assert "no layers" in rules()["A305"].skip(tokens(b"a"))


def test_an_absurd_count_costs_nothing(tmp_path: Path) -> None:
    absurd = zoo.changed(llama__block_count=(1 << 32) - 1)
    assert "blk.4 is not there" in one("A305", made(tmp_path, absurd), Severity.ERROR).evidence
