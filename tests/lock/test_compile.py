from __future__ import annotations

import re

import pytest

from pipeline.core.canonical import digest_of
from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.lock.compile import compile_lock, license_of, pinned_engine
from pipeline.lock.model import LockedSource, Lockfile
from pipeline.lock.resolve import Resolver
from pipeline.spec.load import find_spec, read_spec
from pipeline.spec.model import License, Spec


def test_the_engine_is_pinned_by_version_and_commit() -> None:
    engine = pinned_engine()
    assert re.fullmatch(r"\d+\.\d+\.\d+", engine.llama_cpp_python) and re.fullmatch(
        r"[0-9a-f]{7,40}", engine.llama_cpp_commit
    )
    assert all(flag.startswith("-D") for flag in engine.build_flags)


@pytest.mark.parametrize(
    ("stated", "declared", "origin", "want"),
    [
        (None, None, None, (None, None)),
        (None, None, "gemma", ("gemma", "hf:cardData.license")),
        (None, "MIT", "gemma", ("mit", "gguf:general.license")),
        ("Apache-2.0", "MIT", "gemma", ("apache-2.0", "spec")),
    ],
)
def test_the_spec_overrules_the_file_and_that_its_origin(
    stated: str | None, declared: str | None, origin: str | None, want: tuple[str | None, str | None]
) -> None:
    source = LockedSource(original="x", resolved="x", license=origin, license_from="hf:cardData.license")
    found = license_of(Spec(name="m", source="file:x", license=License(id=stated)), declared, source)
    assert (found.id, found.declared_in) == want


def test_a_lock_says_everything_and_is_the_same_each_time(project: Project) -> None:
    path = find_spec(project, "small")
    spec, session = read_spec(path), Session(project)
    weights = session.current("small").weights.digest
    first, second = (
        compile_lock(spec, Resolver(project, lambda url, size: weights).resolve(spec, path)) for _ in range(2)
    )
    locked = session.current("small").content()
    del locked["prompts"]  # which the engine is asked for
    assert first.content() == second.content() == locked
    assert first.spec_digest == str(digest_of(spec.content())) and first.spec.content() == spec.content()
    named = {"prompts", "reference"}  # there only where there are any
    assert set(first.content()) == set(Lockfile.model_fields) - named
    assert set(first.content()["spec"]) == set(Spec.model_fields)
