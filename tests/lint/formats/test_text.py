from __future__ import annotations

from dataclasses import replace

from pipeline.lint.formats._base import Linted
from pipeline.lint.formats.text import render
from pipeline.lint.model import OVERRIDES, TEMPLATE, Finding, Mend, Severity
from tests.lint.formats.linted import CLEAN, SOME


def test_each_finding_with_what_was_seen_and_how_to_mend_it() -> None:
    assert render([SOME, CLEAN]).splitlines() == [
        "small: 3 findings",
        "  error A201 tokenizer.ggml.eos_token_id: the file names no EOS token",
        r"      seen: 50 %, no\nkey",
        "      fix: set it",
        "  warning A104: drops the system turn (in the baseline)",
        "  info A202 chat_template:1:2: BOS twice",
        "      seen: x",
        "      fix: y",
        "  why that matters: assay explain A201, assay explain A104, assay explain A202",
        "  not evaluated: A105, A103 (no tools)",
        "fine: no findings",
    ]


def test_what_a_spec_would_say_is_shown_where_there_is_none() -> None:
    found = Finding("A201", Severity.ERROR, "m", "w", "e", "set the id", Mend(OVERRIDES, {"eos_token_id": 2}))
    shown = render([Linted("some.gguf", "some.gguf", (found,))])
    assert "fix: set the id (in a spec: engine: {overrides: {eos_token_id: 2}})" in shown
    template = replace(found, mend=Mend(TEMPLATE, "{{ messages }}"))
    assert "in a spec" not in render([Linted("some.gguf", "some.gguf", (template,))])


def test_a_file_puts_no_line_of_its_own_into_the_log() -> None:
    """A program that reads the log of a build would obey it."""
    found = Finding("A102", Severity.ERROR, "fails: x\n::add-path::/tmp", "a\r\n::error::b", "1\n::stop-commands::2")
    shown = render([Linted("some.gguf", "some.gguf", (found,), not_evaluated={"A103": "why\n::error::c"})])
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert r"fails: x\n::add-path::/tmp" in shown
