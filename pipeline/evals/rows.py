"""A suite's data, checked row by row: JSON lines, CSV or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.core.errors import Problem, SpecError
from pipeline.evals.matching import strict_json
from pipeline.evals.tables import ROWS, SUFFIXES, read_table
from pipeline.spec.load import shown

LIMIT = 64 << 20
R = TypeVar("R", bound=BaseModel)


def read_text(path: Path) -> str:
    """Return a text file's content. Raises SpecError when it is missing, larger than ``LIMIT`` bytes, not UTF-8 or holds
    nothing but space."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
        text = content.decode()
    except OSError as error:
        raise SpecError([Problem(shown(path), 0, 0, f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise SpecError([Problem(shown(path), 0, 0, f"not UTF-8 text: byte {error.start}")]) from None
    if len(content) > LIMIT:
        raise SpecError([Problem(shown(path), 0, 0, f"larger than {LIMIT >> 20} MiB")])
    if not text.strip():
        raise SpecError([Problem(shown(path), 0, 0, "the file is empty")])
    return text


def read_rows(path: Path, model: type[R], check: Callable[[R], object] = lambda _: None) -> tuple[R, ...]:
    """Return one ``model`` for each row of a file: JSON lines, or CSV and Parquet by their suffix. Its ``id`` must be
    unique, and ``check`` may refuse it by a ValueError. Raises SpecError with all problems, each with its line."""
    rows: list[R] = []
    problems: list[Problem] = []
    lines_of: dict[str, int] = {}
    for number, content in _content(path, model):
        if isinstance(content, Problem):
            problems.append(content)
            continue
        try:
            row = model.model_validate(content)
            check(row)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                where, said = ".".join(map(str, detail["loc"])), detail["msg"].removeprefix("Value error, ")
                problems.append(Problem(shown(path), number, 1, f"{where}: {said}" if where else said))
            continue
        except ValueError as error:
            problems.append(Problem(shown(path), number, 1, str(error)))
            continue
        key = str(getattr(row, "id", number))
        if key in lines_of:
            problems.append(Problem(shown(path), number, 1, f"id {key!r} stands in line {lines_of[key]} too"))
        lines_of.setdefault(key, number)
        rows.append(row)
    if problems:
        raise SpecError(problems)
    if not rows:
        raise SpecError([Problem(shown(path), 0, 0, "there are no rows")])
    return tuple(rows)


def _content(path: Path, model: type[BaseModel]) -> Iterator[tuple[int, Any]]:
    """Yield (line, value) for each row, a Problem in the place of one that is no JSON."""
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise SpecError([Problem(shown(path), 0, 0, "can't be read: No such file or directory")])
        yield from read_table(path, model)
        return
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if number > ROWS:
            raise SpecError([Problem(shown(path), number, 1, f"more than {ROWS:,} lines")])
        if not line.strip():
            continue
        try:
            yield number, _whole(strict_json(line))
        except json.JSONDecodeError as error:
            yield number, Problem(shown(path), number, error.colno, f"not valid JSON: {error.msg}")
        except ValueError as error:
            yield number, Problem(shown(path), number, 1, f"not valid JSON: {error}")


def _whole(value: Any) -> Any:
    """Return a value of which every text can be written as UTF-8. Raises ValueError for half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text has half of a surrogate pair") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value
