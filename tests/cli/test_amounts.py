from __future__ import annotations

import click
import pytest

from pipeline.cli.amounts import MEMORY, SPAN


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("8GiB", 8 << 30),
        ("8g", 8 << 30),
        ("1.5 GB", 3 << 29),
        ("900MiB", 900 << 20),
        ("2k", 2048),
        ("1T", 1 << 40),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert MEMORY.convert(text, None, None) == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1D", 86400)])
def test_spans(text: str, seconds: float) -> None:
    assert SPAN.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0GiB", "-1", "GiB", "8 GiB more", "1e9", "inf", "nan", "8x", "9" * 400, "1\n"]
)
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write for instance 8GiB"):
        MEMORY.convert(text, None, None)
    with pytest.raises(click.BadParameter, match="write for instance 90s"):
        SPAN.convert(text, None, None)
