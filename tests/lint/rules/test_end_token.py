from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from pipeline.lint.subject import subject_of
from tests import zoo
from tests.lint.subjects import chatml, findings, one, sound, subject

WORDS = {
    "eos-missing": "names no EOS",
    "eos-outside-vocabulary": "no such token",
    "eos-is-a-word": "not a control token",
    "eos-opens-turns": "not where an answer ends",
    "end-of-turn-not-named": "answers run on",
    "turns-do-not-end": "answers run on",
}


def test_good() -> None:
    assert findings("A201", sound()) == []


@pytest.mark.parametrize("defect", WORDS)
def test_bad(defect: str, tmp_path: Path) -> None:
    zoo.DEFECTS[defect].make(tmp_path / "bad.gguf")
    found = findings("A201", subject_of(tmp_path / "bad.gguf", spec=zoo.spec()))
    assert any(WORDS[defect] in finding.message for finding in found), found
    assert max(finding.severity.rank for finding in found) == Severity.ERROR.rank


def test_a_type_that_the_engine_mends_is_a_warning(tmp_path: Path) -> None:
    zoo.DEFECTS["eos-not-control"].make(tmp_path / "bad.gguf")
    one("A201", subject_of(tmp_path / "bad.gguf", spec=zoo.spec()), Severity.WARNING)


def test_an_end_that_only_its_text_tells_is_worth_knowing() -> None:
    bos, end = sound().facts.bos_id, sound().facts.bos_token
    found = one("A201", subject(eos_id=bos, eos_token=end, eot_id=None, eot_token=None), Severity.INFO)
    assert "<|im_end|>" in found.message


def test_a_template_that_leaves_the_last_turn_open_is_fine() -> None:
    closes = "{{- '<|im_end|>\\n' -}}\n{%- endfor -%}"
    assert closes in chatml()
    open_end = "{%- if not loop.last or message.role != 'assistant' -%}" + closes.replace(
        "{%- endfor", "{%- endif -%}{%- endfor"
    )
    assert findings("A201", subject(template=chatml().replace(closes, open_end))) == []


def test_a_completion_model_needs_no_turns() -> None:
    assert findings("A201", subject(template=None, spec=zoo.spec(profile="completion"))) == []
