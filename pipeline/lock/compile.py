"""Compile: a spec and what its references were make a lock. Pure: the same values give the same bytes, anywhere."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.core.canonical import digest_of
from pipeline.lock.argv import compile_argv
from pipeline.lock.model import LOCK_VERSION, LockedEngine, LockedLicense, LockedSource, Lockfile
from pipeline.spec.model import Spec

if TYPE_CHECKING:
    from pipeline.lock.resolve import Resolution


@cache
def pinned_engine() -> LockedEngine:
    """Return the one llama.cpp build that this version of Assay pins."""
    return LockedEngine.model_validate(json.loads(files("pipeline.lock").joinpath("engine.json").read_text()))


def compile_lock(spec: Spec, resolution: Resolution) -> Lockfile:
    """Return the lock of ``spec``."""
    weights = next(file for file in resolution.files if file.role == "weights")
    more: dict[str, Any] = {"reference": resolution.reference} if resolution.reference else {}  # no word of what isn't
    return Lockfile(
        lock_version=LOCK_VERSION,
        name=spec.name,
        spec_digest=str(digest_of(spec.content())),
        spec=Spec.model_validate(spec.content()),  # with its defaults as if they had been written
        source=resolution.source,
        files=resolution.files,
        gguf=resolution.gguf,
        license=license_of(spec, resolution.gguf.get("license"), resolution.source),
        engine=pinned_engine(),
        argv=compile_argv(spec, weights.digest),
        suites=resolution.suites,
        **more,
    )


def license_of(spec: Spec, declared: Any, source: LockedSource) -> LockedLicense:
    """Return the licence: as the spec states it, else as the file declares it, else as its origin does."""
    if spec.license.id:
        return LockedLicense(id=spec.license.id.lower(), declared_in="spec")
    if isinstance(declared, str) and declared:
        return LockedLicense(id=declared.lower(), declared_in="gguf:general.license")
    if source.license:
        return LockedLicense(id=source.license, declared_in=source.license_from)
    return LockedLicense(id=None, declared_in=None)
