from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A303", sound()) == []


def test_bad(tmp_path: Path) -> None:
    assert "llama.block_count is missing" in one("A303", made(tmp_path, "layers-not-said"), Severity.ERROR).message
    assert one("A303", made(tmp_path, "heads-not-said"), Severity.ERROR).evidence.endswith("is None")
    assert "epsilon" in one("A303", made(tmp_path, "epsilon-not-said"), Severity.ERROR).message


@pytest.mark.parametrize("key", ["embedding_length", "feed_forward_length"])
def test_other_keys(key: str, tmp_path: Path) -> None:
    for value in (zoo.REMOVED, 0):
        found = one("A303", made(tmp_path, zoo.changed(**{f"llama__{key}": value})), Severity.ERROR)
        assert found.where == f"llama.{key}" and ("missing" if value is None else "is 0") in found.message


def test_what_has_no_tensors_or_no_layers_of_its_own_is_not_judged() -> None:
    assert "tensors" in rules()["A303"].skip(tokens(b"a"))
    assert "no language model" in rules()["A303"].skip(subject(architecture="clip"))
