from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from pipeline.lint.subject import subject_of
from tests import zoo
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A401", sound()) == []
    assert findings("A401", subject(license_id="Apache-2.0")) == []
    assert findings("A401", subject(license_id="mit", spec=zoo.spec(license={}))) == []


def test_bad() -> None:
    assert "gemma" in one("A401", subject(license_id="gemma"), Severity.ERROR).message


@pytest.mark.parametrize(("allow", "severity"), [(["mit"], Severity.ERROR), ([], Severity.WARNING)])
def test_unknown_is_not_allowed(allow: list[str], severity: Severity) -> None:
    unknown = replace(subject(spec=zoo.spec(license={"allow": allow})), license_id=None)
    assert "no licence" in one("A401", unknown, severity).message


def test_the_spec_may_state_it_for_the_file(tmp_path: Path) -> None:
    zoo.DEFECTS["license-missing"].make(tmp_path / "model.gguf")
    stated = subject_of(tmp_path / "model.gguf", spec=zoo.spec(license={"id": "mit", "allow": ["mit"]}))
    assert findings("A401", stated) == []
