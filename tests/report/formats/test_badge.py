from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from pipeline.report.formats import badge
from pipeline.report.model import Report
from tests.report import samples


@pytest.mark.parametrize(
    ("sample", "word"),
    [
        *((samples.accepted, "accepted"), (samples.rejected, "rejected")),
        *((samples.empty, "unknown"), (samples.unjudged, "not judged")),
    ],
)
def test_says_name_and_decision_to_eyes_and_to_screen_readers(sample: Callable[[], Report], word: str) -> None:
    root = ET.fromstring(badge.render(sample()))
    assert root.get("aria-label") == f"assay: tiny-chat {word}"
    assert [node.text for node in root.iter() if node.tag.endswith("}text")] == ["assay: tiny-chat", word]


def test_a_hostile_name_is_text_and_short() -> None:
    report = samples.accepted()
    text = badge.render(replace(report, lock=report.lock.model_copy(update={"name": samples.HOSTILE * 9})))
    root = ET.fromstring(text)
    assert "<script" not in text and "\u202e" not in text
    assert int(root.attrib["width"]) < 600
