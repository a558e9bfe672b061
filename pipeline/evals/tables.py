"""Data as CSV or Parquet, read by DuckDB: which reads this one file and nothing else, with bounded memory."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.core.errors import Problem, SpecError
from pipeline.spec.load import shown

ROWS = 200_000
MEMORY = "1GB"
SUFFIXES = (".csv", ".parquet")
_CSV = "read_csv(?, header=true, auto_detect=false, columns=?, delim=',', quote='\"', escape='\"', nullstr='')"
_LINE = re.compile(r"CSV Error on Line: (\d+)")


def read_table(path: Path, model: type[BaseModel]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row as (line, values by column); what is empty is left out. A row of Parquet has its number for a line.

    A CSV cell of a field that isn't text is read as JSON (``3``, ``["a", "b"]``); one that is no JSON stays text, for
    the model to refuse. Raises SpecError when the file is not of its format, or has more than ``ROWS`` rows.
    """
    columns, rows = _query(path)
    if len(rows) > ROWS:
        raise SpecError([Problem(shown(path), 0, 0, f"more than {ROWS:,} rows")])
    line = 2 if path.suffix == ".csv" else 1
    for row in rows:
        named = {column: value for column, value in zip(columns, row, strict=True) if value not in (None, "")}
        if path.suffix == ".csv":
            yield line, {column: _value(text, model, column) for column, text in named.items()}
            line += 1 + sum(value.count("\n") for value in named.values())
        else:
            yield line, named
            line += 1


def _query(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    name = str(path.resolve())
    if any(mark in name for mark in "*?[{"):
        message = "the path has one of * ? [ {, which DuckDB takes for a pattern"
        raise SpecError([Problem(shown(path), 0, 0, message, "rename the file or its folder")])
    try:
        with duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 1}) as connection:
            connection.execute("SET enable_progress_bar = false")  # stdout is for answers
            connection.execute(f"SET allowed_paths = ['{name.replace(chr(39), chr(39) * 2)}']")
            connection.execute("SET enable_external_access = false")
            source, named = ("read_parquet(?)", [name]) if path.suffix == ".parquet" else (_CSV, [name, _header(path)])
            answer = connection.execute(f"SELECT * FROM {source} LIMIT {ROWS + 1}", named)
            return [column[0] for column in answer.description or ()], answer.fetchall()
    except duckdb.Error as error:
        words, line = " ".join(str(error).split("Possible")[0].split())[:300], _LINE.search(str(error))
        at = (int(line[1]), 1) if line else (0, 0)
        raise SpecError([Problem(shown(path), *at, f"DuckDB can't read it: {words}")]) from None


def _header(path: Path) -> dict[str, str]:
    """Return the columns of a CSV file, all of them text. Raises SpecError where a name is missing or stands twice."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            names = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError([Problem(shown(path), 1, 1, f"no CSV in UTF-8: {error}")]) from None
    if not all(names) or len(set(names)) < len(names) or not names:
        raise SpecError([Problem(shown(path), 1, 1, "the first line must name the columns, each once")])
    return dict.fromkeys(names, "VARCHAR")


def _value(text: str, model: type[BaseModel], column: str) -> Any:
    field = model.model_fields.get(column)
    if field is None or field.annotation is str:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
