from __future__ import annotations

import csv
import io

from pipeline.report.formats import csv as format_
from pipeline.report.model import Report
from tests.report import samples


def read(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(format_.render(report))))


def test_every_number_is_a_row_with_its_interval_and_digests() -> None:
    report = samples.accepted()
    rows = read(report)
    assert all(row["lock"] == str(report.lock.digest) and row["run"] for row in rows)
    by_metric = {(row["suite"], row["test"], row["metric"]): row for row in rows}
    speed = by_metric["bench", "pp128", "prefill_tok_s"]
    assert (speed["value"], speed["low"], speed["high"], speed["unit"], speed["n"]) == (
        *("4211.4", "4127.6", "4264.0", "tok/s", "5"),
    )
    missing = by_metric["bench", "tg32+d512", "decode_tok_s"]
    assert missing["value"] == "" and missing["reason"].startswith("inconclusive")
    assert by_metric["tiny-choice", "", "accuracy"]["n"]
    assert by_metric["tiny-tools", "tool-calling", "pass_rate"]["value"] == "1.0"


def test_hostile_text_is_a_cell_and_no_formula() -> None:
    report = samples.hostile()
    assert samples.HOSTILE[:20] in {row["metric"][:20] for row in read(report)}
