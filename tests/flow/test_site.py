from __future__ import annotations

from dataclasses import replace

from pipeline.core.project import Project
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.flow.judge import report_of
from pipeline.flow.session import Session
from pipeline.flow.site import write_index, write_machines, write_model
from pipeline.record.history import machines
from pipeline.record.model import StageResult
from pipeline.report.items import SHOWN
from pipeline.report.site.items import EACH
from tests import factories as make


def test_large_suites_get_pages_that_go_when_the_suite_shrinks(assayed: Project) -> None:
    session = Session(assayed)
    report = report_of(session, session.current("small"))
    items = tuple(Item(f"q{i}", 1.0, {"prompt": f"Question {i}?"}) for i in range(SHOWN + 1))
    result = EvalResult("large", "generate", (Metric("acc", 1.0, "share"),), items)
    large = make.run(report.lock, "eval", "large", StageResult(evaluation=result))
    paths = write_model(session, replace(report, runs=(*report.runs, large)))
    folder = assayed.reports / "items" / "small"
    assert paths[-1] == folder / "large-1.html"
    assert len(list(folder.iterdir())) == SHOWN // EACH + 1
    assert "items/small/large-1.html" in (assayed.reports / "small.html").read_text()
    write_model(session, report)
    assert list(folder.iterdir()) == []


def test_a_run_links_only_to_pages_that_are_there(assayed: Project) -> None:
    session = Session(assayed)
    report = report_of(session, session.current("small"))
    page = assayed.reports / "small.html"
    (assayed.reports / "index.html").unlink(missing_ok=True)
    write_model(session, report, alone=True)
    assert "index.html" not in page.read_text() and "hardware/" not in page.read_text()
    write_machines(session)
    write_index(session)
    write_model(session, report, alone=True)
    assert "index.html" in page.read_text() and "hardware/" in page.read_text()


def test_every_machine_on_record_has_a_page(assayed: Project) -> None:
    session = Session(assayed)
    known = machines(assayed.database)
    assert str(session.hardware.digest) in {digest for digest, _, _ in known}
    assert [one.model for _, _, newest in known for one in newest] == ["small"]
    assert len(write_machines(session)) == len(known)
