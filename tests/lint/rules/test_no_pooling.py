from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound


def test_good(tmp_path: Path) -> None:
    stated = made(tmp_path, zoo.changed(llama__pooling_type=number(1)), profile="embedding", checks=[])
    assert findings("A218", stated) == []


def test_the_spec_may_say_it(tmp_path: Path) -> None:
    said = {"profile": "embedding", "checks": [], "engine": {"pooling": "mean"}}
    assert findings("A218", made(tmp_path, zoo.changed(), **said)) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A218", made(tmp_path, zoo.changed(), profile="embedding", checks=[]), Severity.ERROR)
    assert "missing" in found.evidence and "engine.pooling" in found.fix
    none = made(tmp_path, zoo.changed(llama__pooling_type=number(0)), profile="embedding", checks=[])
    assert "is 0: none" in one("A218", none, Severity.ERROR).evidence


def test_nothing_is_asked_of_a_chat_model() -> None:
    assert findings("A218", sound()) == []
