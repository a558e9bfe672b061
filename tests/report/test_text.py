from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.text import duration, label, number, plain, pretty, quantity, signed, size, spreadsheet, visible


def test_hidden_characters_are_written_out_and_the_rest_is_kept() -> None:
    assert visible("a\u202eb\x00c\u200b") == "a\\u202eb\\u0000c\\u200b"
    assert visible("Grüße, 世界 👩\u200d🚀\n\tend") == "Grüße, 世界 👩\u200d🚀\n\tend"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.77777, "0.7778"),
        (4211.4, "4,211"),
        (12, "12"),
        (1842, "1,842"),
        (1e-5, "1e-05"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_sizes_quantities_and_durations() -> None:
    assert [size(n) for n in (0, 1023, 1024, 3_912_448, 2**30, 24_696_061_952)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "3.73 MiB",
        "1 GiB",
        "23 GiB",
    ]
    assert [quantity(1.5, "ms"), quantity(None, "ms"), quantity(2**20, "B"), quantity(2.0, "")] == [
        "1.5 ms",
        "—",
        "1 MiB",
        "2",
    ]
    assert [quantity(2.1e10, "bytes/s"), quantity(95e9, "operations/s")] == ["21 GB/s", "95 Gop/s"]
    assert [duration(s) for s in (0.05, 1.25, 119.0, 125.0)] == ["50 ms", "1.2 s", "119.0 s", "2 min 5 s"]


def test_a_sign_is_shown_of_what_has_one() -> None:
    assert [signed(one) for one in (0.5, 0.0, -0.25, None)] == ["+0.5", "0", "-0.25", "—"]


def test_a_cell_of_a_spreadsheet_is_no_formula() -> None:
    assert [spreadsheet(one) for one in ("=HYPERLINK(1)", "@x", "a=1", -1.5, None)] == [
        *("'=HYPERLINK(1)", "'@x", "a=1", -1.5, None)
    ]


def test_labels_and_cells() -> None:
    assert [label(key) for key in ("context_length", "cpu_model", "eos_id")] == [
        "Context length",
        "CPU model",
        "EOS ID",
    ]
    assert [plain(v) for v in (True, None, [1, "a"], {"b": 1, "c": "d"}, "x")] == ["yes", "—", "1 · a", "b 1, c d", "x"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=20,
)


@given(JSON)
def test_pretty_reads_back(value: object) -> None:
    assert json.loads(pretty(value)) == value


def test_objects_in_cells_lead_with_their_text() -> None:
    assert plain({"text": "Paris.", "logprob": -0.5, "tokens": 2}) == "Paris. (logprob -0.5, tokens 2)"
    assert plain({"text": "Paris."}) == "Paris."
    assert plain({"b": 1, "c": "d"}) == "b 1, c d"
