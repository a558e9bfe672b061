from __future__ import annotations

from pathlib import Path

import gguf

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import chatml, findings, one, sound, subject

BOS = "tokenizer.ggml.bos_token_id"
WRITES = "{{ bos_token }}"


def test_good() -> None:
    assert findings("A214", sound()) == []
    assert findings("A214", subject(template=WRITES + chatml())) == []
    assert findings("A214", subject(bos_id=None, bos_token=None)) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A214", made(tmp_path, "bos-not-named"), Severity.WARNING)
    assert "llama.cpp takes id 11, ','" in found.evidence


def test_a_default_that_is_a_control_token_is_fine(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        types = list(zoo.value("tokenizer.ggml.token_type"))
        types[11] = gguf.TokenType.CONTROL
        changes = {zoo.TEMPLATE: WRITES + zoo.value(zoo.TEMPLATE), BOS: zoo.REMOVED}
        zoo.rewrite(target, {**changes, "tokenizer.ggml.token_type": types})

    assert findings("A214", made(tmp_path, make)) == []
