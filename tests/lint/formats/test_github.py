from __future__ import annotations

from dataclasses import replace

from pipeline.lint.formats._base import Linted
from pipeline.lint.formats.github import render
from tests.lint.formats.linted import CLEAN, SOME


def test_a_workflow_command_a_finding_and_none_that_is_known() -> None:
    assert render([SOME, CLEAN]).splitlines() == [
        (
            "::error file=specs/small.yaml,title=A201 in small::the file names no EOS token%0A"
            "tokenizer.ggml.eos_token_id%0A50 %25, no%0Akey%0Aset it"
        ),
        "::notice file=specs/small.yaml,title=A202 in small::BOS twice%0Achat_template:1:2%0Ax%0Ay",
        "::notice file=specs/small.yaml,title=not evaluated in small::not evaluated: A105, A103 (no tools)",
    ]


def test_one_notice_tells_all_that_was_not_evaluated_of_a_target() -> None:
    why = {"A105": "no tools", "A601": "no engine\n::error::x", "A103": "no tools"}
    (line,) = render([Linted("small", "specs/small.yaml", (), not_evaluated=why)]).splitlines()
    assert line.endswith("::not evaluated: A105, A103 (no tools)%0Anot evaluated: A601 (no engine%0A::error::x)")


def test_what_a_command_takes_for_its_own_is_written_out() -> None:
    said = render([replace(SOME, target="a:b,c", file="x,y:z", known=())])
    assert "file=x%2Cy%3Az,title=A201 in a%3Ab%2Cc::" in said and len(said.splitlines()) == 4
    assert "title=not evaluated in a%3Ab%2Cc::" in said
