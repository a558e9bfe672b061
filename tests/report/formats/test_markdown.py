from __future__ import annotations

import re

from markdown_it import MarkdownIt

from pipeline.report.formats import markdown
from tests import factories as make
from tests.report import samples


def test_a_rejection_leads_with_the_rules_that_do_not_hold() -> None:
    text = markdown.render(samples.rejected())
    assert text.startswith("### Assay: tiny-chat ❌ rejected\n")
    head = text.split("more rules passed")[0]
    assert head.count("| ❌ |") == 2
    assert "n = 54 is too small" in head
    assert head.count("| ❔ |") == 3
    assert "the call came out as plain content" in head


def test_it_is_short_before_the_fold_and_names_the_key_numbers() -> None:
    text = markdown.render(samples.accepted())
    assert text.startswith("### Assay: tiny-chat ✅ accepted\n")
    assert len(text.split("<details>")[0].splitlines()) < 40
    assert "| tiny-perplexity | perplexity | 2.913 | 2.793 to 3.043 | 1,842 |" in text
    assert "| decode\\_tok\\_s | tg32 | 812.6 tok/s |  |" in text
    assert f"noisy: {make.NOISE}" in text
    assert str(samples.accepted().lock.digest) in text
    assert text.count("<details>") == text.count("</details>")


def test_an_unjudged_model_says_so() -> None:
    assert "has not been judged" in markdown.render(samples.unjudged())


def test_hostile_text_adds_no_markup_link_or_mention() -> None:
    text = markdown.render(samples.hostile())
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    without_ours = re.sub(r"</?(details|summary|sub)>|<!-- -->", "", text)
    assert not re.search(r"<[a-zA-Z/!]", without_ours)
    assert "<a " not in rendered
    assert "<img" not in rendered
    assert not re.search(r"@[a-z]|#\d|https?:", text)
    assert "\u202e" not in text
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 6)


def test_groups_and_likely_causes_are_told() -> None:
    text = markdown.render(samples.rejected())
    assert "| tool-calling | 2 of 4 | 0.5 | 0.15 to 0.85 |" in text
    assert "| calls come as bare JSON in 1 of 3 answers" in text and "ollama#<!-- -->12174" in text
