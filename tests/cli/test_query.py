from __future__ import annotations

import json

import pytest

from pipeline.core.project import Project
from tests.cli.conftest import Ask

ODD = """
SELECT [1, 2] AS l, {'a': 1} AS s, MAP {7: 'x'} AS m, '\\xB5'::BLOB AS b, INTERVAL 1 DAY AS i, 10::HUGEINT ^ 2 AS h,
       1.50::DECIMAL(9, 2) AS d, 'nan'::DOUBLE AS f, NULL AS n, true AS t, DATE '2026-02-03' AS day, TIME '10:30' AS clock,
       TIMESTAMP '2026-02-03 10:30' AS at, TIMESTAMPTZ '2026-02-03 10:30+00' AS zoned, 1 AS twice, 2 AS twice, 3 AS twice_1
"""


@pytest.fixture(autouse=True)
def here(cold_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cold_project.root)


def test_every_type_and_name_of_sql_has_its_json(ask: Ask) -> None:
    code, out, _ = ask("query", "--json", ODD)
    assert (code, json.loads(out)["rows"]) == (
        0,
        [
            {
                "l": [1, 2],
                "s": {"a": 1},
                "m": {"7": "x"},
                "b": "b5",
                "i": "1 day, 0:00:00",
                "h": 100,
                "d": 1.5,
                "f": None,
                "n": None,
                "t": True,
                "day": "2026-02-03",
                "clock": "10:30:00",
                "at": "2026-02-03T10:30:00",
                "zoned": "2026-02-03 10:30:00+00",
                "twice": 1,
                "twice_1": 2,
                "twice_1_1": 3,
            }
        ],
    )


def test_numbers_stand_to_the_right_and_a_row_is_a_line(ask: Ask) -> None:
    sql = "SELECT * FROM (VALUES ('a', 1.5, NULL), (chr(10) || 'b', 1234567.25, 20)) AS t(word, rate, whole)"
    assert ask("query", sql)[1].splitlines() == [
        "word         rate  whole",
        "a             1.5   NULL",
        "\\nb   1.23457e+06     20",
    ]


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE runs", "FROM runs", "EXPLAIN SELECT 1", "SELECT 1; SELECT 2"])
def test_whatever_answers_is_shown(ask: Ask, sql: str) -> None:
    code, out, _ = ask("query", sql)
    assert code == 0 and out.strip()
