"""Where a finding says that the engine refuses the file, or aborts, it does; where no finding says so, it doesn't."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.subject import subject_of
from tests import zoo

LOAD = """
import sys
from llama_cpp import Llama
Llama(sys.argv[1], n_ctx=64, verbose=False)
"""
NAMES = [
    name for name, defect in zoo.DEFECTS.items() if "A202" < defect.rule < "A230" or "A302" <= defect.rule < "A320"
]


def loads(path: Path) -> bool:
    """Whether the engine takes a file; asked in a process of its own, since the engine may abort."""
    done = subprocess.run([sys.executable, "-c", LOAD, str(path)], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_the_engine_is_so(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.gguf"
    zoo.DEFECTS[name].make(path)
    found = list(rules()[zoo.DEFECTS[name].rule].check(subject_of(path, spec=zoo.spec())))
    said = any(word in finding.message for finding in found for word in ("refuses", "aborts"))
    assert loads(path) is not said, found


def test_the_sound_model_loads() -> None:
    assert loads(zoo.SOUND)
