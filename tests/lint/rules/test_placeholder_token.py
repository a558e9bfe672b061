from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound


def ends_with(text: str, *roles: str) -> zoo.Make:
    return zoo.added(text, lambda template: template.replace("<|im_end|>", text or "."), *roles)


def test_good(tmp_path: Path) -> None:
    assert findings("A217", sound()) == []
    assert findings("A217", made(tmp_path, ends_with("<|fin|>", "eos", "eot"))) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A217", made(tmp_path, "eos-is-a-placeholder"), Severity.ERROR)
    assert "'<|reserved_7|>'" in found.message and found.where.endswith("eos_token_id")


@pytest.mark.parametrize("text", ["<dummy32000>", "<unused5>", "[PAD151646]", "<|placeholder1|>", "<extra_id_0>", ""])
def test_fillers_of_all_converters(text: str, tmp_path: Path) -> None:
    one("A217", made(tmp_path, ends_with(text, "eos")), Severity.ERROR)


def test_bos_is_a_warning(tmp_path: Path) -> None:
    one("A217", made(tmp_path, ends_with("<unused5>", "bos")), Severity.WARNING)
