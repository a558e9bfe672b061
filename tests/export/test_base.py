from __future__ import annotations

import pytest

from pipeline.core.errors import UsageError
from pipeline.export._base import export_of, exports


def test_formats_are_found_by_their_names() -> None:
    assert list(exports()) == ["cyclonedx-json", "modelfile", "oci", "sha256sums"]
    assert [name for name, kind in exports().items() if kind.FOLDER] == ["oci"]


def test_a_format_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'spdx'") as caught:
        export_of("spdx")
    assert "cyclonedx-json" in caught.value.hint
