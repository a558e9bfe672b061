from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound


def test_good(tmp_path: Path) -> None:
    assert findings("A304", sound()) == []
    shared = zoo.changed(llama__attention__head_count_kv=2)
    assert findings("A304", made(tmp_path, shared)) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A304", made(tmp_path, "heads-not-shared-evenly"), Severity.ERROR)
    assert "4 heads can't share 3" in found.message
    assert "is 32, a head has 64" in one("A304", made(tmp_path, "half-a-head-rotated"), Severity.ERROR).message


def test_heads_that_do_not_divide_the_width(tmp_path: Path) -> None:
    three = {"llama__attention__head_count": 3, "llama__attention__head_count_kv": 3}
    assert "3 heads don't divide" in one("A304", made(tmp_path, zoo.changed(**three)), Severity.ERROR).message
    given = zoo.changed(**three, llama__attention__key_length=number(64))
    assert findings("A304", made(tmp_path, given)) == []


def test_layers_may_differ(tmp_path: Path) -> None:
    def each(*heads: int) -> zoo.Make:
        def make(target: Path) -> None:
            zoo.changed(llama__attention__head_count_kv=zoo.REMOVED)(tmp_path / "without.gguf")
            zoo.rewrite(target, {"llama.attention.head_count_kv": list(heads)}, source=tmp_path / "without.gguf")

        return make

    assert findings("A304", made(tmp_path, each(4, 0, 2, 1))) == []
    assert "share 3" in one("A304", made(tmp_path, each(4, 3, 2, 1)), Severity.ERROR).message
