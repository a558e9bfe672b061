from __future__ import annotations

import json

import pytest

from pipeline.core import errors
from pipeline.core.errors import AssayError, Problem, SpecError
from pipeline.fleet.worker import PREFIX, Telling, plain, rebuild
from pipeline.gguf.header import GgufError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, AssayError) and kind is not SpecError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_the_way_through_json(kind: type[AssayError]) -> None:
    error = rebuild(json.loads(json.dumps(plain(kind("what", hint="do")))))
    assert type(error) is kind
    assert (error.message, error.hint, error.exit_code) == ("what", "do", kind.exit_code)


def test_a_spec_s_problems_keep_their_places() -> None:
    problems = (Problem("a.yaml", 1, 2, "wrong", "right"), Problem("b.yaml", 0, 0, "gone"))
    error = rebuild(json.loads(json.dumps(plain(SpecError(problems)))))
    assert isinstance(error, SpecError) and error.problems == problems


def test_an_error_of_another_module_keeps_its_exit_code() -> None:
    error = rebuild(plain(GgufError("not a GGUF file")))
    assert error.message.startswith("not a GGUF file")
    assert error.exit_code == 2


def test_progress_is_told_a_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Telling()
    with progress.task("outer", 2, "items") as outer:
        outer.advance()
        with progress.task("inner") as inner:
            inner.advance(3)
        progress.note("so far\nso good")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(PREFIX) for line in lines)
    assert [json.loads(line.removeprefix(PREFIX)) for line in lines] == [
        {"task": 1, "label": "outer", "total": 2, "unit": "items"},
        {"task": 1, "advance": 1},
        {"task": 2, "label": "inner", "total": None, "unit": ""},
        {"task": 2, "advance": 3},
        {"task": 2},
        {"note": "so far\nso good"},
        {"task": 1},
    ]
