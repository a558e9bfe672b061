"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.cli.main import run

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command line in this process; returns the exit code, stdout and stderr. Nothing may be taken for a bug."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "bug in assay" not in err, err
        return code, out, err

    return call
