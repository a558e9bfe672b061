from __future__ import annotations

from pathlib import Path

import gguf

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound

WORDS = gguf.TokenType.NORMAL


def test_good(tmp_path: Path) -> None:
    assert findings("A206", sound()) == []
    named = zoo.changed(tokenizer__ggml__eom_token_id=number(zoo.token("</tool_call>")))
    assert findings("A206", made(tmp_path, named)) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A206", made(tmp_path, "eom-is-a-word"), Severity.ERROR)
    assert "id 300 'of' has the type NORMAL" in found.evidence


def test_a_known_end_that_the_template_writes_is_a_warning(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        types = list(zoo.value("tokenizer.ggml.token_type"))
        types[zoo.token("<|im_end|>")] = WORDS
        other = zoo.token("<|endoftext|>")
        zoo.rewrite(target, {"tokenizer.ggml.token_type": types, zoo.EOS: other, zoo.EOT: zoo.REMOVED})

    assert "'<|im_end|>'" in one("A206", made(tmp_path, make), Severity.WARNING).message


def test_eos_is_judged_elsewhere(tmp_path: Path) -> None:
    assert findings("A206", made(tmp_path, "eos-not-control")) == []


def test_a_known_end_that_no_prompt_has_is_fine(tmp_path: Path) -> None:
    assert findings("A206", made(tmp_path, zoo.typed("<|endoftext|>", WORDS))) == []
