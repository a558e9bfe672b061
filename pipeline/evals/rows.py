"""A suite's data as JSON lines, checked line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.core.errors import Problem, SpecError
from pipeline.spec.load import shown

R = TypeVar("R", bound=BaseModel)


def read_text(path: Path) -> str:
    """Return a text file's content. Raises SpecError when it is missing, not UTF-8 or holds nothing but space."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise SpecError([Problem(shown(path), 0, 0, f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise SpecError([Problem(shown(path), 0, 0, f"not UTF-8 text: byte {error.start}")]) from None
    if not text.strip():
        raise SpecError([Problem(shown(path), 0, 0, "the file is empty")])
    return text


def read_rows(path: Path, model: type[R]) -> tuple[R, ...]:
    """Return one ``model`` for each line; its ``id`` must be unique. Raises SpecError with all problems, each with its
    line."""
    rows: list[R] = []
    problems: list[Problem] = []
    lines_of: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue

        def fault(message: str, column: int = 1, number: int = number) -> None:
            problems.append(Problem(shown(path), number, column, message))

        try:
            row = model.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            fault(f"not valid JSON: {error.msg}", error.colno)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                where = ".".join(map(str, detail["loc"]))
                fault(f"{where}: {detail['msg']}" if where else detail["msg"].removeprefix("Value error, "))
        else:
            key = str(getattr(row, "id", number))
            if key in lines_of:
                fault(f"id {key!r} stands in line {lines_of[key]} too")
            lines_of.setdefault(key, number)
            rows.append(row)
    if problems:
        raise SpecError(problems)
    return tuple(rows)
