from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import chatml, findings, one, sound, subject


def test_good() -> None:
    assert findings("A204", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A204", made(tmp_path, "call-ends-with-a-token-not-named"), Severity.WARNING)
    assert "</tool_call><|eom|>" in found.evidence and "answers end at '<|endoftext|>', '<|im_end|>'" in found.evidence


@pytest.mark.parametrize("role", ["eom", "eot"])
def test_a_token_that_is_named_ends_a_call(role: str, tmp_path: Path) -> None:
    new = zoo.CALL_END + "{%- endfor -%}"
    named = zoo.added("<|eom|>", lambda text: text.replace(zoo.TURN_END, new), role)
    assert findings("A204", made(tmp_path, named)) == []


def test_a_template_that_drops_results_is_not_judged_here() -> None:
    assert findings("A204", subject(template=zoo.DROPS_RESULTS + chatml())) == []


def test_where_no_turn_ends_it_is_judged_elsewhere(tmp_path: Path) -> None:
    assert findings("A204", made(tmp_path, "turns-do-not-end")) == []
