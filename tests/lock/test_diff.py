from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lock.diff import Change, diff

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 -> 2"]),
        ({"a": 1}, {}, ["a: 1 -> nothing"]),
        ({}, {"a": [1]}, ["a: nothing -> [1]"]),
        ({"a": [1, 2, 3]}, {"a": [1, 5, 3]}, ["a[1]: 2 -> 5"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: - 2"]),
        ({"a": []}, {"a": [True, "b c"]}, ["a: + True 'b c'"]),
        ({"a": [1]}, {"a": [True, {}]}, ["a: - 1  + True '{}'"]),
        ({"a": 1}, {"a": 1.0}, ["a: 1 -> 1.0"]),
        ({"a": True}, {"a": 1}, ["a: True -> 1"]),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, ["a: 1 -> 2", "b: 1 -> 2"]),
        ({"a": {"b": 1}}, {"a": [1]}, ["a: {'b': 1} -> [1]"]),
        ({"a": "x" * 500}, {}, [f"a: {'x' * 197}… -> nothing"]),
    ],
)
def test_every_field_that_moved_is_named(old: Any, new: Any, told: list[str]) -> None:
    assert [str(change) for change in diff(old, new)] == told


def test_of_a_command_line_only_the_options_that_moved_are_shown() -> None:
    long = ["--alias", "small,small@sha256:" + "0" * 300, "--threads", "1", "--ctx-size", "512"]
    (change,) = diff(long, [*long[:3], "2", *long[4:], "--jinja"], "argv")
    assert str(change) == "argv: - --threads 1  + --threads 2  + --jinja"
    (change,) = diff(long, [*long[:2], "-fa", "on", *long[2:]], "argv")
    assert str(change) == "argv: + -fa on"


@given(JSON, JSON)
def test_no_change_means_the_same_and_back_is_the_reverse(old: Any, new: Any) -> None:
    assert diff(old, old) == []
    forth, back = diff(old, new), diff(new, old)
    assert [Change(change.path, change.new, change.old) for change in forth] == back
    if isinstance(old, dict) and isinstance(new, dict):
        changed = {change.path.partition(".")[0].partition("[")[0] for change in forth}
        assert changed >= {key for key in {*old, *new} if old.get(key) != new.get(key)}
