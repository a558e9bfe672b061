from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import SpecError
from pipeline.evals.kinds.multiple_choice import Row
from pipeline.evals.rows import read_rows, read_text
from pipeline.evals.task import Doc

GOOD = '{"id": "a", "skill": "s", "question": "q?", "choices": ["x", "y"], "answer": 1}'


def test_every_faulty_line_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    lines = [
        GOOD,
        '{"id": "b", oops',
        GOOD.replace('"a"', '"c"').replace('"answer": 1', '"answer": 2'),
        "",
        GOOD,
        GOOD.replace('"a"', '"d"').replace('"y"', '"x"'),
        GOOD.replace('"a"', '"e"').replace('"skill": "s", ', ""),
        GOOD.replace('"a"', '"f"').replace('"answer": 1', '"answer": "1"'),
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(SpecError) as raised:
        read_rows(path, Row)
    found = [(problem.line, problem.column, problem.message) for problem in raised.value.problems]
    assert found == [
        (2, 13, "not valid JSON: Expecting property name enclosed in double quotes"),
        (3, 1, "answer 2 is out of range: there are 2 choices, counted from 0"),
        (5, 1, "id 'a' stands in line 1 too"),
        (6, 1, "two choices are equal"),
        (7, 1, "skill: Field required"),
        (8, 1, "answer: Input should be a valid integer"),
    ]
    assert str(raised.value).startswith(f"{path}:2:13: ")


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_empty_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty").write_bytes(content)
    with pytest.raises(SpecError, match="empty"):
        read_text(tmp_path / "empty")


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("Zürich".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8 text: byte 1"):
        read_text(tmp_path / "latin")
    with pytest.raises(SpecError, match="No such file"):
        read_rows(tmp_path / "missing", Row)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "a", "answer": NaN}', "NaN is not JSON"),
        ('{"id": "a", "answer": 1e999}', "the number 1e999 is too large"),
        ('{"id": "a", "answer": 0, "answer": 1}', "a key stands twice"),
        ('{"id": "a", "answer": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"id": "a", "question": "\\ud800"}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_json_has_no_one_meaning_for_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "items.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(SpecError, match=said) as raised:
        read_rows(tmp_path / "items.jsonl", Doc)
    assert [(problem.line, problem.column) for problem in raised.value.problems] == [(2, 1)]
