from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.canonical import canonical_bytes, digest_of, plain, pretty, read_json, tree_digest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


@given(JSON)
def test_a_value_reads_back_from_both_forms(value: Any) -> None:
    assert read_json(canonical_bytes(value)) == value == read_json(pretty(value).encode())
    assert digest_of(read_json(pretty(value).encode())) == digest_of(value)


def test_order_does_not_count_and_types_do() -> None:
    assert canonical_bytes({"b": 1, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'.encode()
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert len({str(digest_of(value)) for value in (1, 1.0, "1", True, [1])}) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": -float("inf")}, "\ud800"])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates"):
        canonical_bytes(value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        (b'[{"x": {"y": 1, "y": 1}}]', "the key 'y' stands twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff", "utf-8"),
        (b"<<<<<<< HEAD\n{}", "Expecting value"),
    ],
)
def test_json_that_could_mean_two_things_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_json(content)


def test_pretty_is_for_diffs() -> None:
    text = pretty({"b": [1], "a": "ü"})
    assert text == '{\n  "a": "ü",\n  "b": [\n    1\n  ]\n}\n' and json.loads(text)


def test_a_tree_is_its_names_and_contents(tmp_path: Path) -> None:
    def tree(**files: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, content in files.items():
            path = folder / name.replace("__in__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return str(tree_digest(folder))

    one = tree(a="1", b="2")
    assert (
        one == tree(b="2", a="1") == tree(a="1", b="2", __pycache__="x") == tree(**{"a": "1", "b": "2", ".swap": "x"})
    )
    assert len({one, tree(a="1", c="2"), tree(a="12", b=""), tree(a="1", d__in__b="2"), tree(a="1")}) == 5


def test_what_json_does_not_know_becomes_what_it_knows() -> None:
    odd = {
        "at": datetime(2026, 2, 3, 4, 5),
        "day": date(2026, 2, 3),
        "clock": time(4, 5),
        "raw": b"\xb5",
        7: (1, float("inf")),
    }
    known = {"at": "2026-02-03T04:05:00", "day": "2026-02-03", "clock": "04:05:00", "raw": "b5", 7: [1, None]}
    assert plain(odd) == known
    assert plain({date(2026, 2, 3): Decimal("1.50"), "none": Decimal("NaN")}) == {"2026-02-03": 1.5, "none": None}
