"""What holds for every assertion, those of tomorrow included."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.checks.assertions._base import assertions

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", assertions())
def test_every_assertion_is_complete(name: str) -> None:
    module = assertions()[name]
    assert (module.__doc__ or "").strip() and (module.judge.__doc__ or "").strip()
    argument = TypeAdapter(module.Argument, config=ConfigDict(strict=True))
    argument.validate_python(module.EXAMPLE)
    with pytest.raises(ValidationError):
        argument.validate_python(object())
    assert (HERE / f"test_{name}.py").is_file()
