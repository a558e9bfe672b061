from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from pipeline.checks.model import Verdict
from pipeline.report.formats import junit
from tests.report import samples


def test_every_rule_and_case_is_a_test_case_with_its_verdict() -> None:
    report = samples.rejected()
    assert report.decision is not None
    root = ET.fromstring(junit.render(report))
    suites = {suite.get("name"): suite for suite in root}
    gate = suites["tiny-chat.gate"]
    assert gate.get("tests") == str(len(report.decision.reasons))
    verdicts = [reason.verdict for reason in report.decision.reasons]
    assert gate.get("failures") == str(verdicts.count(Verdict.FAIL)) != "0"
    assert gate.get("errors") == str(verdicts.count(Verdict.UNKNOWN)) != "0"
    failed = suites["tiny-chat.tiny-tools"].findall("testcase/failure")
    assert failed and all(one.get("message") for one in failed)
    (missing,) = suites["tiny-chat.tiny-perplexity"]
    assert missing.find("error") is not None


def test_an_excepted_rule_is_skipped_and_says_who_excepted_it() -> None:
    report = samples.rejected()
    assert report.decision is not None
    reasons = tuple(replace(one, waived="accepted by ada") for one in report.decision.reasons)
    root = ET.fromstring(junit.render(replace(report, decision=replace(report.decision, reasons=reasons))))
    assert root[0].get("failures") == root[0].get("errors") == "0"
    skipped = root[0].findall("testcase/skipped")
    assert skipped and all("accepted by ada" in (one.get("message") or "") for one in skipped)


def test_hostile_text_stays_text() -> None:
    report = samples.hostile()
    assert report.decision is not None
    reason = replace(report.decision.reasons[0], message="\ufffe\uffff\x00\ud800]]>")
    changed = replace(report, decision=replace(report.decision, reasons=(reason,)))
    for one in (report, changed):
        root = ET.fromstring(junit.render(one).encode())
        assert {node.tag for node in root.iter()} <= {
            *("testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out")
        }
