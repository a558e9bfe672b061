from __future__ import annotations

import errno
import inspect

import pytest

from pipeline.core import errors
from pipeline.core.errors import AssayError, Problem, SpecError, UsageError, refusal


def test_every_error_has_an_exit_code_of_its_own() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AssayError)]
    codes = {kind.exit_code for kind in kinds if kind is not AssayError}
    assert codes == {2, 3, 4, 5, 6, 7}
    assert all(kind.__doc__ for kind in kinds)


def test_problems_come_sorted_each_with_its_place_and_what_to_do() -> None:
    error = SpecError(
        [Problem("b.yaml", 2, 1, "wrong"), Problem("a.yaml", 10, 3, "odd", "write even"), Problem("a.yaml", 9, 1, "x")]
    )
    assert str(error) == "a.yaml:9:1: x\na.yaml:10:3: odd (write even)\nb.yaml:2:1: wrong"
    assert str(Problem("c.yaml", 0, 0, "too large")) == "c.yaml: too large"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.ENOTDIR])
def test_what_the_system_refuses_is_no_bug(number: int) -> None:
    told = refusal(OSError(number, "no", "some/file"))
    assert isinstance(told, UsageError) and told.message.startswith("some/file: ")
    assert refusal(OSError(errno.EBADF, "bad file descriptor")) is None
