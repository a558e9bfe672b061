"""JUnit XML for CI systems that show tests: a test case for each rule of the gate and for each case of the checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from pipeline.checks.model import Outcome, Verdict
from pipeline.record.model import Reason, Run
from pipeline.record.rates import merged
from pipeline.report.model import Report
from pipeline.report.text import visible

SUFFIX = "junit.xml"
WRITTEN = False
# A rule or case that was not judged is an error, never a pass.
_TAGS = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error", Verdict.SKIP: "skipped"}
_NOT_XML = re.compile("[\ufffe\uffff]")


def render(report: Report) -> str:
    """Return the XML. Rules that an exception covers are skipped, and say why; so is what does not apply to the model."""
    root = ET.Element("testsuites", {"name": _text(f"assay {report.name}")})
    if report.decision is not None:
        _suite(root, report.name, "gate", [_reason(report.name, reason) for reason in report.decision.reasons])
    for run in report.of_stage("check"):
        shown = [_outcome(report.name, run, outcome) for outcome, _ in merged(run.result.outcomes)]
        _suite(root, report.name, run.key.subject, shown)
    for stage in ("check", "eval"):
        for name in report.not_run(stage):
            case = _case(report.name, name, "run", Verdict.UNKNOWN, "not run in the version that is locked", 0.0)
            _suite(root, report.name, name, [case])
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, model: str, name: str, cases: Iterable[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": _text(f"{model}.{name}")})
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in suite)))


def _reason(model: str, reason: Reason) -> ET.Element:
    verdict = Verdict.SKIP if reason.holds and reason.verdict is not Verdict.PASS else reason.verdict
    return _case(model, "gate", reason.rule, verdict, reason.said, 0.0)


def _outcome(model: str, run: Run, outcome: Outcome) -> ET.Element:
    name = f"{outcome.group}: {outcome.name}"
    return _case(model, run.key.subject, name, outcome.verdict, outcome.diagnosis, outcome.seconds)


def _case(model: str, suite: str, name: str, verdict: Verdict, said: str, seconds: float) -> ET.Element:
    about = {"classname": _text(f"{model}.{suite}"), "name": _text(name), "time": f"{seconds:.3f}"}
    case = ET.Element("testcase", about)
    if tag := _TAGS.get(verdict):
        ET.SubElement(case, tag, {"message": _text(said)})
    elif said:
        ET.SubElement(case, "system-out").text = _text(said)
    return case


def _text(text: str) -> str:
    """Return text that XML 1.0 can hold."""
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", visible(text))
