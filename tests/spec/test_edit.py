from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.spec.edit import edited, wanted
from pipeline.spec.yaml import parse

IDS = {"tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_eos_token": False}
BLOCK = """\
# my model
name: one   # its name
engine:     # how it runs
  context: 1024

  slots: 2  # two at once
# what it must show
gates:
  lint: error
  # the end
"""


def test_a_new_key_goes_behind_its_neighbours_and_every_comment_stays() -> None:
    assert edited(BLOCK, ("engine", "overrides"), IDS) == BLOCK.replace(
        "# two at once\n",
        "# two at once\n  overrides:\n    tokenizer.ggml.eos_token_id: 2\n    tokenizer.ggml.add_eos_token: false\n",
    )


def test_a_new_part_goes_to_the_end() -> None:
    assert edited(BLOCK, ("chat", "template"), "one.jinja") == BLOCK.replace(
        "  lint: error\n", "  lint: error\nchat:\n  template: one.jinja\n"
    )


def test_a_value_is_replaced_where_it_stands() -> None:
    assert edited(BLOCK, ("engine", "context"), 2048) == BLOCK.replace("1024", "2048")
    assert edited("chat: {template: a.jinja} # mine\n", ("chat", "template"), "b c") == (
        'chat: {template: "b c"} # mine\n'
    )


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("name: a\nengine: {context: 9, slots: 1}\n", "name: a\nengine: {context: 9, slots: 1, overrides: {k: 1}}\n"),
        ("engine: {}\n", "engine: {overrides: {k: 1}}\n"),
        ("engine: {context: 9,}\n", "engine: {context: 9, overrides: {k: 1}}\n"),
        ("engine: {\n  context: 9,\n}\n", "engine: {\n  context: 9, overrides: {k: 1}\n}\n"),
        ("{name: a}\n", "{name: a, engine: {overrides: {k: 1}}}\n"),
        ("name: a", "name: a\nengine:\n  overrides:\n    k: 1\n"),
        ("", "engine:\n  overrides:\n    k: 1\n"),
        ("name: a\r\nb: 1\r\n", "name: a\r\nb: 1\r\nengine:\r\n  overrides:\r\n    k: 1\r\n"),
        ("note: |\n  two\n  lines\n\nz: 1\n", "note: |\n  two\n  lines\n\nz: 1\nengine:\n  overrides:\n    k: 1\n"),
        ("engine:\n    context: 9\nz: 1\n", "engine:\n    context: 9\n    overrides:\n      k: 1\nz: 1\n"),
        ("\ufeffname: a\n", "\ufeffname: a\nengine:\n  overrides:\n    k: 1\n"),
        ("engine:\n  overrides:\n    k: 7  # why\n", "engine:\n  overrides:\n    k: 1  # why\n"),
        ("---\nname: größe # ü\n...\n", "---\nname: größe # ü\nengine:\n  overrides:\n    k: 1\n...\n"),
    ],
)
def test_in_every_layout(text: str, after: str) -> None:
    assert edited(text, ("engine", "overrides"), {"k": 1}) == after


@pytest.mark.parametrize(
    "text", ["engine:\n", "engine: [1]\n", "engine: text\n", "engine:\n  overrides:\n    k:\n      - 1\n"]
)
def test_what_has_no_place_for_it_stays_as_it_is(text: str) -> None:
    with pytest.raises(UsageError):
        edited(text, ("engine", "overrides"), {"k": 1})


VALUES = st.one_of(st.booleans(), st.integers(-9, 9**9), st.text(max_size=8))
TEXT = st.text("ab1 -#:'\"{}\\é", min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@example({"1": "\xa0"}, "1", False)
@given(st.dictionaries(TEXT, st.one_of(VALUES, st.dictionaries(TEXT, VALUES, max_size=3)), max_size=4), TEXT, VALUES)
def test_whatever_is_written_means_what_was_meant(content: dict[str, Any], key: str, value: Any) -> None:
    import yaml

    for flow in (False, True):
        text = yaml.safe_dump(content, default_flow_style=flow, allow_unicode=True)
        before = parse(text, "").value
        try:
            after = edited(text, ("chat", key), value)
        except UsageError:
            assert not isinstance(content.get("chat", {}), dict)
            continue
        assert parse(after, "").value == wanted(before, ("chat", key), value)


def test_what_one_reader_of_yaml_takes_and_another_does_not() -> None:
    text = "name: m\nengine:\n  context:\t4096\t# tab\n"
    assert parse(text, "").value == {"name": "m", "engine": {"context": 4096}}
    with pytest.raises(UsageError, match="can't be written into this file by a machine"):
        edited(text, ("engine", "threads"), 2)
