from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound


def test_good(tmp_path: Path) -> None:
    assert findings("A211", sound()) == []
    last = zoo.changed(tokenizer__ggml__fim_pre_token_id=number(800))
    assert findings("A211", made(tmp_path, last)) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A211", made(tmp_path, "padding-outside-vocabulary"), Severity.WARNING)
    assert found.evidence == "id 100000, vocabulary 801"


def test_bos_that_is_used_is_an_error(tmp_path: Path) -> None:
    found = one("A211", made(tmp_path, "bos-outside-vocabulary"), Severity.ERROR)
    assert "llama.cpp takes id 11, ','" in found.evidence
    one("A211", made(tmp_path, zoo.changed(tokenizer__ggml__bos_token_id=801)), Severity.WARNING)


@pytest.mark.parametrize("role", ["eom", "unknown", "seperator", "mask", "fim_mid", "prefix"])
def test_all_roles_are_judged(role: str, tmp_path: Path) -> None:
    changes = {f"tokenizer__ggml__{role}_token_id": number(801)}
    assert role in one("A211", made(tmp_path, zoo.changed(**changes)), Severity.WARNING).where


def test_eos_is_judged_elsewhere(tmp_path: Path) -> None:
    assert findings("A211", made(tmp_path, "eos-outside-vocabulary")) == []
