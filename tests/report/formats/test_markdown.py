from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from pipeline.compare.judge import compare
from pipeline.compare.model import Side
from pipeline.record.model import Run
from pipeline.report.formats import markdown
from pipeline.report.model import Accepted
from tests import factories as make
from tests.report import samples
from tests.report.site.samples import model_report


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


def test_a_table_of_rules_is_never_empty() -> None:
    report = samples.accepted()
    assert report.decision is not None
    few = replace(report.decision, reasons=report.decision.reasons[:5])
    assert "| Rule | Why |" in markdown.render(replace(report, decision=few))
    text = markdown.render(report)
    assert f"All {len(report.decision.reasons)} rules pass." in text and "| Rule | Why |" not in text


def test_what_nothing_speaks_against_but_is_not_shown_is_unknown() -> None:
    assert markdown.render(samples.empty()).startswith("### Assay: tiny-chat ❔ unknown, which is not accepted\n")


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


def test_the_comparison_with_the_baseline_says_why_of_each_suite() -> None:
    report = model_report()
    text = markdown.render(report)
    assert "**Against the baseline of 2026-03-01 (first release): ❔ incomparable**" in text
    rows = {line.split(" | ")[1]: line for line in text.splitlines() if line.startswith("| ")}
    assert "not the same hardware" in rows["check tiny-stop"] and rows["check tiny-stop"].startswith(
        "| ❔ incomparable"
    )
    assert rows["eval tiny-choice"].startswith("| ▼ worse | eval tiny-choice | accuracy | 0.7778 | 0.537 | -0.2407 (")
    assert "54 pairs; fail now: q029, q030, q031, q032, q033 and 8 more" in rows["eval tiny-choice"]
    assert "no difference shown" in rows["eval tiny-perplexity"] and "2 pairs are equal" in rows["eval tiny-perplexity"]
    assert "baseline" not in markdown.render(samples.accepted())


def test_a_baseline_of_nothing_in_common_or_of_the_same_runs_is_told() -> None:
    def told(ours: tuple[Run, ...], theirs: tuple[Run, ...]) -> str:
        lock, report = make.lock(), samples.accepted()
        found = compare(Side("before", lock, theirs), Side("now", lock, ours))
        return markdown.render(replace(report, baseline=Accepted("2026-03-01", "[x](http://e.test) @all", found)))

    runs = [run for run in make.sound_runs(make.lock()) if run.key.stage in ("check", "eval")]
    same = told(tuple(runs), tuple(runs))
    assert "= no difference shown**" in same and "both are the same runs" in same
    assert "(\\[x\\](http<!-- -->" in same and "@<!-- -->all" in same
    other = told(tuple(runs[:1]), tuple(runs[1:2]))
    assert (
        "❔ incomparable**" in other
        and f"Only on record for before: {runs[1].key.stage} {runs[1].key.subject}" in other
    )
