from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, SpecError, UsageError
from pipeline.evals.data import Data, place

OTHER = "sha256:" + "0" * 64


def test_a_file_beside_the_suite(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("{}\n")
    digest = Digest.of(b"{}\n")
    assert place("items.jsonl", tmp_path) == place(f"items.jsonl@{digest}", tmp_path) == tmp_path / "items.jsonl"
    with pytest.raises(DigestMismatch, match=r"items\.jsonl has digest .* wants sha256:000") as raised:
        place(f"items.jsonl@{OTHER}", tmp_path)
    assert raised.value.hint
    with pytest.raises(SpecError, match=r"other\.jsonl: .*no such file"):
        place("other.jsonl", tmp_path)


def test_a_file_of_an_installed_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "benchdata" / "data"
    folder.mkdir(parents=True)
    (tmp_path / "benchdata" / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "items.jsonl").write_text("{}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = place(f"python:benchdata/data/items.jsonl@{Digest.of(b'{}' + bytes([10]))}", Path("nowhere"))
    assert found == folder / "items.jsonl"
    with pytest.raises(DigestMismatch):
        place(f"python:benchdata/data/items.jsonl@{OTHER}", Path("nowhere"))


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="in the Python package bench_data, which is not installed") as raised:
        place(f"python:bench_data/items.jsonl@{OTHER}", tmp_path)
    assert raised.value.hint == "install it: pip install bench-data"


@pytest.mark.parametrize(
    "text",
    [
        "../items.jsonl",
        "/etc/passwd",
        f"python:package/../secret@{OTHER}",
        "python:package/items.jsonl",
        f"python:package@{OTHER}",
        "items.jsonl@sha256:12",
        "",
    ],
)
def test_a_reference_leads_nowhere_else_and_is_pinned(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Data).validate_python(text)
