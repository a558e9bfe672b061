from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

from pipeline.core.progress import SILENT, Task
from pipeline.core.project import Project
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.flow.baseline import accept
from pipeline.flow.judge import judge, report_of
from pipeline.flow.session import Session
from pipeline.flow.site import refresh, write_index, write_machines, write_model
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


class Notes:
    """What was said for people."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        return SILENT.task(label, total, unit)

    def note(self, message: str) -> None:
        self.said.append(message)


def test_what_shows_all_models_is_written_after_a_run(assayed: Project) -> None:
    session = Session(assayed)
    page, index = assayed.reports / "small.html", assayed.reports / "index.html"
    write_model(session, report_of(session, session.current("small")))
    assert not index.exists() and 'href="index.html"' in page.read_text()
    assert refresh(session) == index
    (machine,) = (assayed.reports / "hardware").iterdir()
    assert (
        f'href="hardware/{machine.name}"' in page.read_text() and f'href="hardware/{machine.name}"' in index.read_text()
    )
    assert 'href="../small.html"' in machine.read_text()


def test_the_catalog_tells_which_page_shows_an_earlier_decision(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    write_model(session, report_of(session, lock))
    index = write_index(session)
    assert "earlier decision" not in index.read_text()
    now = judge(session, lock)
    session.recorder.add_decision(replace(now, id="later", decided=now.decided + timedelta(seconds=1)))
    assert "Its page shows an earlier decision: assay report small" in write_index(session).read_text()
    (assayed.reports / "small.html").write_text("<p>a page of somebody else")
    assert "earlier decision" in write_index(session).read_text()
    (assayed.reports / "small.html").unlink()
    assert "earlier decision" not in write_index(session).read_text()


def test_what_keeps_the_catalog_from_being_written_is_told(assayed: Project) -> None:
    (assayed.specs / "policy.yaml").write_text("mode: [")
    notes = Notes()
    assert refresh(Session(assayed, progress=notes)) is None
    assert len(notes.said) == 1 and notes.said[0].startswith("no catalog: ")


def test_a_report_is_written_again_when_a_baseline_is_accepted(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    write_model(session, report_of(session, lock))
    page = assayed.reports / "small.html"
    before = page.read_bytes()
    write_model(session, report_of(session, lock), again=False)
    assert page.read_bytes() == before
    accept(session, lock, reason="the first", owner="ada")
    write_model(session, report_of(session, lock), again=False)
    assert b"Against the accepted baseline" in page.read_bytes()


def test_every_machine_on_record_has_a_page(assayed: Project) -> None:
    session = Session(assayed)
    known = machines(assayed.database)
    assert str(session.hardware.digest) in {digest for digest, _, _ in known}
    assert [one.model for _, _, newest in known for one in newest] == ["small"]
    assert len(write_machines(session)) == len(known)
