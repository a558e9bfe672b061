from __future__ import annotations

from typing import Any

from pipeline.checks.assertions.same_prompt import judge
from tests.checks.assertions.probes import asked


def test_other_forms_of_a_conversation() -> None:
    same: dict[str, Any] = {"role": "user", "content": "Hello!", "name": "x"}
    other: dict[str, Any] = {"role": "user", "content": "Hello?"}
    with asked("Hello!") as seen:
        assert judge(seen, ((same,),)) is None
        fault = judge(seen, ((same,), (other,)))
    assert fault is not None and fault.grade == "prompt"
    assert fault.words.startswith("form 2 gives another prompt:") and "Hello?" in fault.words
