from __future__ import annotations

from pipeline.checks.options import Options


def test_options_over_others_keep_what_they_do_not_say() -> None:
    case = Options(tools=("f",), tool_choice="none", max_tokens=9)
    turn = Options(tools=(), max_tokens=3)
    both = turn.over(case)
    assert (both.tools, both.tool_choice, both.max_tokens, both.stop) == ((), "none", 3, None)
    assert Options().over(case) == case
