from __future__ import annotations

from dataclasses import replace

from pipeline.report.comment import LIMIT, comment
from pipeline.report.formats import markdown
from pipeline.report.model import Report
from tests.report import samples
from tests.report.site.samples import model_report


def named(report: Report, name: str) -> Report:
    return replace(report, lock=report.lock.model_copy(update={"name": name}))


def rows(text: str) -> list[list[str]]:
    lines = text.partition("### ")[0].splitlines()
    return [[cell.strip() for cell in line.split(" | ")] for line in lines if line.startswith("| ")][1:]


def test_a_line_a_model_the_worst_first_then_the_reports() -> None:
    sound, open_, faulty = named(samples.accepted(), "b-sound"), named(samples.empty(), "c-open"), model_report()
    text = comment([sound, open_, faulty])
    assert [row[1:4] for row in rows(text)] == [
        ["tiny-chat", "rejected", "❔ incomparable"],
        ["c-open", "unknown", "—"],
        ["b-sound", "accepted", "—"],
    ]
    assert "checks tool-calling" in rows(text)[0][4] and "more)" in rows(text)[0][4]
    for report in (sound, open_, faulty):
        assert markdown.render(report) in text
    assert "No room" not in text


def test_what_does_not_fit_is_named_and_never_cut() -> None:
    reports = [named(model_report(), f"model-{number:03}") for number in range(40)]
    text = comment(reports)
    assert len(text) <= LIMIT
    whole = text.count("### Assay: ")
    assert 1 < whole < 40 and f"No room is left for {40 - whole} of the reports" in text
    assert text.count("<details>") == text.count("</details>") and len(rows(text)) == 40
    assert f"and {40 - whole - 20} more" in text


def test_a_model_without_a_report_is_in_the_table_with_the_reason() -> None:
    text = comment([samples.accepted()], [("new", "no lock for new <b>")])
    assert [row[1:3] for row in rows(text)] == [["new", "unknown"], ["tiny-chat", "accepted"]]
    assert rows(text)[0][4] == "no lock for new &lt;b&gt; |"


def test_hostile_text_stays_in_its_cell() -> None:
    text = comment([samples.hostile(), samples.accepted()])
    assert all(len(row) == 5 for row in rows(text)) and "<script" not in text and "\u202e" not in text
