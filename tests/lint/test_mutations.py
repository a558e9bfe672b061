"""Each file of the mutation bench is caught, by the rule that is meant to and at its stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.engine import lint
from pipeline.lint.model import Stage
from pipeline.lint.subject import subject_of
from tests import zoo
from tests.mutations import MORE, REPORTS, mutations


@pytest.mark.parametrize("name", MORE)
def test_a_fault_beside_those_of_the_zoo_is_caught(name: str, tmp_path: Path) -> None:
    mutation = mutations()[name]
    mutation.defect.make(tmp_path / "made.gguf")
    subject = subject_of(tmp_path / "made.gguf", spec=zoo.spec(**mutation.spec))
    found = lint(subject, upto=Stage.HEADER)
    assert [finding.code for finding in found] == [mutation.code] * len(found) != [], found


def test_the_bench_has_what_it_names() -> None:
    assert len(mutations()) == len(zoo.DEFECTS) + len(MORE) >= 100
    assert REPORTS.keys() <= mutations().keys()
    assert not MORE.keys() & zoo.DEFECTS.keys()
