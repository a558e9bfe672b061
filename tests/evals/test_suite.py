from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from pipeline.evals.suite import head, kinds


def test_every_kind_has_an_example_that_its_config_accepts() -> None:
    assert {"multiple_choice", "perplexity"} <= set(kinds())
    for name, kind in kinds().items():
        assert kind.EXAMPLE["kind"] == name
        assert kind.Config.model_validate(kind.EXAMPLE).kind == name
        assert kind.__doc__


def test_only_known_kinds_are_read() -> None:
    assert head().model_validate({"kind": "perplexity", "other": 1}).kind == "perplexity"
    with pytest.raises(ValidationError, match="multiple_choice"):
        head().model_validate({"kind": "behaviour"})


def test_kinds_load_neither_numpy_nor_llama_cpp() -> None:
    """They are imported by commands that score nothing."""
    code = "import sys; from pipeline.evals import engine, suite; suite.kinds(); "
    code += "print('numpy' in sys.modules, 'llama_cpp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
