from __future__ import annotations

import pytest

from pipeline.core.errors import UsageError
from pipeline.report.render import formats, render
from tests.report import samples


def test_formats_are_found() -> None:
    assert {name: format.SUFFIX for name, format in formats().items() if format.WRITTEN} == {
        "html": "html",
        "json": "json",
        "markdown": "md",
    }


@pytest.mark.parametrize("name", ["html", "json", "markdown"])
@pytest.mark.parametrize(
    "sample", [samples.accepted, samples.rejected, samples.unjudged, samples.empty, samples.hostile]
)
def test_every_format_renders_every_report(name: str, sample: object) -> None:
    assert callable(sample)
    assert "tiny-chat" in render(sample(), name)


def test_an_unknown_format_lists_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        render(samples.accepted(), "pdf")
    assert "html, json, junit, markdown" in caught.value.hint
