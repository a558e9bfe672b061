from __future__ import annotations

from typing import Any

import pytest

from pipeline.checks.assertions.cached_equals_fresh import judge
from pipeline.checks.probe import NoAnswer
from tests.checks.assertions.probes import asked
from tests.checks.scripted import Handler, completion


def test_the_second_answer_of_the_cache_is_held_against_the_fresh_one() -> None:
    with asked("Hi") as seen:
        assert judge(seen, True) is None

    def forgetful(handler: Handler, body: dict[str, Any]) -> None:
        assert body["cache_prompt"] is True
        handler.send_json(completion("Hello!" if len(handler.server.requests) == 1 else "Hull!"))

    with asked("Hi", reply=forgetful) as seen:
        fault = judge(seen, True)
    assert fault is not None and str(fault) == 'cache: the content differs: fresh "Hello!", cached "Hull!"'


def test_a_server_that_fails_is_no_difference() -> None:
    with asked("Hi", reply=lambda handler, body: handler.send_json({}, 500)) as seen, pytest.raises(NoAnswer):
        judge(seen, True)
