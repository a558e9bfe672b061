from __future__ import annotations

from dataclasses import replace

from pipeline.lint.formats.github import render
from tests.lint.formats.linted import CLEAN, SOME


def test_a_workflow_command_a_finding_and_none_that_is_known() -> None:
    assert render([SOME, CLEAN]).splitlines() == [
        (
            "::error file=specs/small.yaml,title=A201 in small::the file names no EOS token%0A"
            "tokenizer.ggml.eos_token_id%0A50 %25, no%0Akey%0Aset it"
        ),
        "::notice file=specs/small.yaml,title=A202 in small::BOS twice%0Achat_template:1:2%0Ax%0Ay",
    ]


def test_what_a_command_takes_for_its_own_is_written_out() -> None:
    said = render([replace(SOME, target="a:b,c", file="x,y:z", known=())])
    assert "file=x%2Cy%3Az,title=A201 in a%3Ab%2Cc::" in said and len(said.splitlines()) == 3
