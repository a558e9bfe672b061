from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from tests.report import samples
from tests.report.formats.test_html import LOADS, Page
from tests.report.site.samples import write


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("site")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in write(folder)}


def test_pages_have_landmarks_captions_and_one_script_that_the_policy_names(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        page = Page(text)
        assert (page.tags["main"], page.tags["h1"], page.tags["header"], page.tags["footer"]) == (1, 1, 1, 1), name
        assert page.tags["caption"] == page.tags["table"]
        assert len(page.ids) == len(set(page.ids))
        assert not {"img", "iframe", "link", "object", "form", "base"} & set(page.tags)
        links = [value for _, key, value in page.attributes if key in LOADS]
        assert not [link for link in links if "://" in link or link.startswith(("/", "javascript"))]
        assert not [key for _, key, _ in page.attributes if key.startswith("on")]
        if page.tags["script"]:
            script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
            assert len(script) == 1
            digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
            assert f"script-src 'sha256-{digest}'" in text and "default-src 'none'" in text


def test_hostile_text_is_shown_and_does_nothing(pages: dict[str, str]) -> None:
    for name in ("index.html", "hostile.html", "items/tiny-chat/tiny-choice-1.html"):
        text = pages[name]
        assert "<script>alert('owned')</script>" in Page(text).said, name
        assert "<script>alert" not in text and "<img" not in text
        assert "\u202e" not in text and "\x07" not in text
    assert samples.HOSTILE not in "".join(pages.values())


def test_the_catalog_says_state_reason_fix_and_numbers(pages: dict[str, str]) -> None:
    said = Page(pages["index.html"]).said
    for words in (
        *("✓ accepted", "✕ rejected", "↻ stale", "fail tiny-choice.acc: 0.5", "Do: assay check tiny-q4", "and 2 more"),
        *("3.73 MiB Q8_0 0.9 0.85 to 0.94 812.6 tok/s", "excepted lint: no finding: accepted by ada"),
    ):
        assert words in said, words


def test_a_model_shows_baseline_exceptions_repetitions_and_inconclusive_tests(pages: dict[str, str]) -> None:
    said = Page(pages["tiny-chat.html"]).said
    for words in (
        *("Accepted on 2026-03-01: first release", "▼ worse", "passed before, fails now", "? incomparable"),
        *("? inconclusive 0 of 5 repetitions count", "2 repetitions, 1 left out", "its threads ran 51% of the time"),
        *("excepted", "All 1,100 items of tiny-choice", "21 GB/s", "this machine has no such sensor"),
    ):
        assert words in said, words


def test_a_machine_shows_limits_and_what_was_measured_on_it(pages: dict[str, str]) -> None:
    said = Page(pages["hardware/hardware.html"]).said
    for words in ("memory_bandwidth 2 21 GB/s", "AMD EPYC 7B13", "812.6 tok/s 15 %", "this machine"):
        assert words in said, words
