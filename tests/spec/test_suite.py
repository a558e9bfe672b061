from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import SpecError
from pipeline.spec.load import read_model
from pipeline.spec.suite import SuiteHead

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted(ROOT.glob("evals/*/suite.yaml")), ids=lambda path: path.parent.name)
def test_every_suite_of_the_catalog_says_what_it_is(path: Path) -> None:
    head = read_model(path, SuiteHead)
    assert head.description and head.license and head.source and head.version


def test_a_version_is_text(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text("kind: x\nversion: 1.10\nlicense: MIT\nsource: me\ncases: []\n")
    with pytest.raises(SpecError, match=r'2:10: version wants text, not the number 1.10 \(put it in quotes: "1.10"\)'):
        read_model(tmp_path / "suite.yaml", SuiteHead)
