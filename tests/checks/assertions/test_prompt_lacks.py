from __future__ import annotations

from pipeline.checks.assertions.prompt_lacks import judge
from tests.checks.assertions.probes import asked


def test_a_text_that_has_no_place_in_the_prompt() -> None:
    with asked("The answer is None.") as seen:
        assert judge(seen, ("undefined",)) is None
        fault = judge(seen, ("undefined", "None"))
    assert fault is not None and fault.grade == "prompt" and fault.words.startswith('"None" stands in the prompt')
