from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipeline.checks.model import Verdict
from pipeline.compare.judge import compare
from pipeline.compare.model import Side
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.record.model import StageResult
from pipeline.report import environment
from pipeline.report.formats import html
from pipeline.report.items import PAGE, SHOWN
from pipeline.report.model import Accepted, Report
from tests import factories as make
from tests.report import samples

VOID = {"meta", "link", "img", "br", "hr", "input", "base", "source", "wbr"}
MARK = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.UNKNOWN: "?", Verdict.SKIP: "–"}
LOADS = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """The tags, ids, attributes and text of a document; nesting is checked on the way."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.text.append(" ")
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join("".join(self.text).split())


EVERY = pytest.mark.parametrize(
    "sample", [samples.accepted, samples.rejected, samples.unjudged, samples.empty, samples.hostile]
)


@EVERY
def test_loads_nothing_and_runs_nothing(sample: Callable[[], Report]) -> None:
    page = Page(html.render(sample()))
    assert not {
        "script",
        "img",
        "iframe",
        "link",
        "object",
        "embed",
        "base",
        "form",
        "audio",
        "video",
        "foreignobject",
        "use",
    } & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name in LOADS)
    style = html.render(sample()).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert any("default-src 'none'" in value for _, name, value in page.attributes if name == "content")


@EVERY
def test_every_section_is_there_with_landmarks_and_headed_tables(sample: Callable[[], Report]) -> None:
    page = Page(html.render(sample()))
    assert {"decision", "chain", "model", "lint", "checks", "evals", "bench", "machine", "reproduce"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert (page.tags["main"], page.tags["h1"], page.tags["nav"], page.tags["header"], page.tags["footer"]) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert page.tags["caption"] == page.tags["table"]
    named = {value.removeprefix("#") for _, name, value in page.attributes if name in ("href", "aria-labelledby")}
    assert named <= set(page.ids)


def test_shows_every_verdict_reason_digest_finding_and_number() -> None:
    for report in (samples.accepted(), samples.rejected()):
        page = Page(html.render(report))
        assert report.decision is not None
        for reason in report.decision.reasons:
            assert (
                " ".join(f"{MARK[reason.verdict]} {reason.verdict.value} {reason.rule} {reason.message}".split())
                in page.said
            )
        for link in report.chain:
            for _, digest in link.entries:
                assert digest in page.said
        for run in report.runs:
            assert run.id in page.said
            for outcome in run.result.outcomes:
                mark = MARK[outcome.verdict]
                assert f"{mark} {outcome.verdict.value} {outcome.case} {outcome.group} {outcome.diagnosis}" in page.said
            for finding in run.result.findings:
                assert finding.message in page.said
                assert finding.fix in page.said
            for row in run.result.bench:
                assert row.metric in page.said
                assert row.reason.removeprefix("inconclusive: ") in page.said
            if run.result.evaluation:
                assert all(item.id in page.said for item in run.result.evaluation.items)
    assert "tiny-perplexity has not been run in the version that is locked" in page.said
    assert "<tool_call>" in page.said
    assert f"{make.CAUSE.words} Do: {make.CAUSE.advice} As in: ollama#12174" in page.said
    assert "tool-calling 4 2 of 4 0.5" in page.said and "1 markers_in_content, 1 server_crash" in page.said
    assert f"noisy {make.NOISE}" in page.said


def test_hostile_text_is_shown_and_does_nothing() -> None:
    text = html.render(samples.hostile())
    page = Page(text)
    assert "<script>alert('owned')</script>" in page.said
    assert "\u202e" not in text
    assert "\\u202edesrever" in text
    assert "\x07" not in text
    assert "<script" not in text.lower()
    assert "<img" not in text.lower()


def test_failed_cases_are_open_and_passed_ones_closed() -> None:
    text = html.render(samples.rejected())
    assert text.count('<details class="case" open>') == 2
    assert text.count('<details class="case">') == 5


def test_long_evidence_is_cut_and_says_so() -> None:
    assert environment._clip("x" * (environment.TEXT_SHOWN + 5)).endswith("… 5 more characters are in the record")
    assert environment._clip("short") == "short"


def with_items(found: tuple[Item, ...], *metrics: Metric) -> str:
    lock = make.lock(checks=[], evals=["tiny-choice"])
    result = EvalResult("tiny-choice", "multiple_choice", metrics, found)
    return html.render(samples.report(lock, [make.run(lock, "eval", "tiny-choice", StageResult(evaluation=result))]))


def test_every_item_can_be_opened_to_see_what_was_asked_and_answered() -> None:
    detail = {
        "verdict": "wrong",
        "prompt": "Which is a <b>metal</b>?",
        "answer": 0,
        "picked": 1,
        "unstable": True,
        "choices": [{"text": "gold", "logprob": -2.5, "bytes": 4, "tokens": 1}, {"text": "wood", "logprob": -2.25}],
    }
    acc = Metric("acc", 0.0, "share", 0.0, 0.79, 1)
    text = with_items((Item("q1", 0.0, detail),), acc, Metric("noise", 0.125, "nats"), Metric("unstable", 1.0, "items"))
    page = Page(text)
    assert "acc 0, 95 % interval 0 to 0.79 noise floor 0.125 nats unstable items 1" in page.said
    assert "✕ wrong unstable q1 Which is a <b>metal</b>?" in page.said
    assert "gold ✓ right -2.5 -0.625 1 wood ▸ picked -2.25 — —" in page.said
    assert "<b>metal</b>" not in text


def test_hostile_items_are_shown_and_do_nothing() -> None:
    detail = {
        "verdict": samples.HOSTILE,
        "prompt": samples.HOSTILE,
        "reason": samples.HOSTILE,
        "calls": [samples.HOSTILE],
        "choices": [{"text": samples.HOSTILE, "logprob": -1.0}],
        samples.HOSTILE: samples.HOSTILE,
    }
    text = with_items((Item(samples.HOSTILE, 0.5, detail),))
    assert "<script" not in text.lower() and "<img" not in text.lower()
    assert "\u202e" not in text and "\x07" not in text
    assert Page(text).said.count("<script>alert('owned')</script>") >= 7


def test_a_large_suite_is_paged_and_stays_a_document() -> None:
    found = tuple(Item(f"q{i:04d}", 1.0, {"prompt": f"Question {i}?", "answer": "x"}) for i in range(SHOWN + 7))
    text = with_items(found)
    page = Page(text)
    assert page.tags["details"] >= SHOWN + SHOWN // PAGE
    assert "1951 to 2000" in page.said
    assert "7 more are in the record: assay results tiny-chat --suite tiny-choice -o items.parquet" in page.said
    assert len(text) < 4_000_000


def test_the_same_report_is_the_same_file() -> None:
    assert html.render(samples.accepted()) == html.render(samples.accepted())


def test_attempts_that_came_to_the_same_are_shown_once_and_what_does_not_apply_is_told() -> None:
    report = samples.accepted()
    run = report.of_stage("check")[0]
    one = run.result.outcomes[0]
    seeds = tuple(replace(one, sampled=True, attempt=number) for number in (1, 2))
    absent = replace(one, case="thinking", verdict=Verdict.SKIP, diagnosis="not_applicable: it has no reasoning")
    changed = replace(run, result=replace(run.result, outcomes=(one, *seeds, absent)))
    page = Page(html.render(replace(report, runs=(changed,))))
    assert f"✓ pass {one.case} {one.group}, 3 attempts" in page.said
    assert "– skip thinking" in page.said and "1 and 1 not applicable 3 of 3" in page.said


def test_a_baseline_of_nothing_in_common_is_told_without_a_table() -> None:
    lock, report = make.lock(), samples.accepted()
    runs = [run for run in make.sound_runs(lock) if run.key.stage in ("check", "eval")]
    found = compare(Side("before", lock, (runs[1],)), Side("now", lock, (runs[0],)))
    page = html.render(replace(report, baseline=Accepted("2026-03-01", "first", found)))
    part = page[page.index("Against the accepted baseline") : page.index("<article>", page.index("accepted baseline"))]
    assert "They have no suite in common." in part and "incomparable" in part and "<table" not in part
    assert f"Only on record for before: {runs[1].key.stage} {runs[1].key.subject}." in part


def test_the_decision_is_told_in_the_words_of_the_catalog() -> None:
    for sample, word, title in (
        (samples.accepted, "accepted", "Accepted"),
        (samples.rejected, "rejected", "Rejected"),
        (samples.empty, "unknown", "Unknown, so not accepted"),
    ):
        page = html.render(sample())
        assert f'class="decision {word}"' in page and f'<h2 id="decision-title">{title}</h2>' in page
        assert f"<h3>Decision</h3><p>{word}</p>" in page
