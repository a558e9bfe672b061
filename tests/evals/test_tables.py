from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import BaseModel, ConfigDict

from pipeline.core.errors import SpecError
from pipeline.evals import tables
from pipeline.evals.rows import read_rows


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    count: int
    choices: list[str] = []
    note: str = ""


def test_csv_gives_text_as_text_and_the_rest_as_json(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text('id,count,choices,note\n1,3,"[""x"", ""y""]","two\nlines, and a comma"\n2,4,,7\n')
    assert read_rows(path, Row) == (
        Row(id="1", count=3, choices=["x", "y"], note="two\nlines, and a comma"),
        Row(id="2", count=4, note="7"),
    )


def test_a_faulty_row_of_csv_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text('id,count,note\na,1,"two\nlines"\nb,many,x\na,2,y\n')
    with pytest.raises(SpecError) as raised:
        read_rows(path, Row)
    found = [(problem.line, problem.message) for problem in raised.value.problems]
    assert found == [(4, "count: Input should be a valid integer"), (5, "id 'a' stands in line 2 too")]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("id,count\na,1\nb\n", 3, "DuckDB can't read it"),
        ("id,count\na,1,surplus\n", 2, "DuckDB can't read it"),
        ("id,id\na,b\n", 1, "each once"),
        ("", 1, "each once"),
        ("id,count\n", 0, "there are no rows"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: str, line: int, words: str) -> None:
    path = tmp_path / "items.csv"
    path.write_text(content)
    with pytest.raises(SpecError, match=words) as raised:
        read_rows(path, Row)
    assert raised.value.problems[0].line == line


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    with duckdb.connect() as connection:
        connection.execute("COPY (SELECT 'a' AS id, 3 AS count, ['x', 'y'] AS choices, NULL AS note) TO ?", [str(path)])
    assert read_rows(path, Row) == (Row(id="a", count=3, choices=["x", "y"]),)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    for content in (b"", b"nonsense, and more than twelve bytes of it"):
        path.write_bytes(content)
        with pytest.raises(SpecError, match="DuckDB can't read it"):
            read_rows(path, Row)
    with pytest.raises(SpecError, match="No such file"):
        read_rows(tmp_path / "none.parquet", Row)


def test_only_the_one_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a1.csv").write_text("id,count\na,1\n")
    (tmp_path / "a[1].csv").write_text("id,count\nb,2\n")
    with pytest.raises(SpecError, match="takes for a pattern"):
        read_rows(tmp_path / "a[1].csv", Row)


def test_rows_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 3)
    path = tmp_path / "items.csv"
    rows: list[Any] = [f"{number},1" for number in range(4)]
    path.write_text("\n".join(["id,count", *rows]))
    with pytest.raises(SpecError, match="more than 3 rows"):
        read_rows(path, Row)
    path.write_text("\n".join(["id,count", *rows[:3]]))
    assert len(read_rows(path, Row)) == 3
