from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound


def test_good(tmp_path: Path) -> None:
    assert findings("A215", sound()) == []
    ends = [zoo.token("<|im_end|>"), zoo.token("<|endoftext|>")]
    assert findings("A215", made(tmp_path, zoo.changed(tokenizer__ggml__eos_token_ids=ends))) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A215", made(tmp_path, "ends-in-a-foreign-key"), Severity.WARNING)
    assert "not among the ends: 300 'of';" in found.evidence and found.where.endswith("eos_token_ids")


@pytest.mark.parametrize("name", ["stop_token_ids", "eog_token_id", "end_of_turn_token_id"])
def test_names_that_others_use(name: str, tmp_path: Path) -> None:
    one("A215", made(tmp_path, zoo.changed(**{f"tokenizer__ggml__{name}": number(300)})), Severity.WARNING)


@pytest.mark.parametrize(
    ("name", "meant"), [("pad_token_id", "padding_token_id"), ("unk_token_id", "unknown_token_id")]
)
def test_a_misspelt_key_is_worth_knowing(name: str, meant: str, tmp_path: Path) -> None:
    found = one("A215", made(tmp_path, zoo.changed(**{f"tokenizer__ggml__{name}": number(5)})), Severity.INFO)
    assert meant in found.message


def test_other_keys_are_none_of_its_business(tmp_path: Path) -> None:
    own = zoo.changed(tokenizer__ggml__add_padding_token=False, tokenizer__ggml__suppress_tokens=[1, 2])
    assert findings("A215", made(tmp_path, own)) == []
