from __future__ import annotations

from pipeline.lint.formats.text import render
from tests.lint.formats.linted import CLEAN, SOME


def test_each_finding_with_what_was_seen_and_how_to_mend_it() -> None:
    assert render([SOME, CLEAN]).splitlines() == [
        "small: 3 findings",
        "  error A201 tokenizer.ggml.eos_token_id: the file names no EOS token",
        "      seen: 50 %, no",
        "key",
        "      fix: set it",
        "  warning A104: drops the system turn (in the baseline)",
        "  info A202 chat_template:1:2: BOS twice",
        "      seen: x",
        "      fix: y",
        "  not evaluated: A105, A103 (no tools)",
        "fine: no findings",
    ]
