from __future__ import annotations

from pipeline.checks.assertions.prompt_has import judge
from tests.checks.assertions.probes import asked


def test_texts_stand_in_the_prompt_in_this_order() -> None:
    with asked("One.", "Two.") as seen:
        assert judge(seen, ("One.", "Two.")) is None
        wrong = judge(seen, ("Two.", "One."))
        missing = judge(seen, ("Three.",))
    assert wrong is not None and '"One." stands at the wrong place' in wrong.words
    assert missing is not None and missing.grade == "prompt" and '"Three." is missing in the prompt' in missing.words
