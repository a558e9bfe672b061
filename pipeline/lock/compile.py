"""Compile: a spec and what its references were make a lock. Pure: the same values give the same bytes, anywhere."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.lock.argv import compile_argv
from pipeline.lock.model import LOCK_VERSION, LockedEngine, LockedLicense, Lockfile
from pipeline.lock.resolve import Resolution
from pipeline.spec.model import Spec


@cache
def pinned_engine() -> LockedEngine:
    """Return the one llama.cpp build that this version of Assay pins."""
    return LockedEngine.model_validate(json.loads(files("pipeline.lock").joinpath("engine.json").read_text()))


def compile_lock(spec: Spec, resolution: Resolution) -> Lockfile:
    """Return the lock of ``spec``."""
    weights = next(file for file in resolution.files if file.role == "weights")
    declared = resolution.facts.license
    if spec.license.id:
        license_ = LockedLicense(id=spec.license.id.lower(), declared_in="spec")
    elif declared:
        license_ = LockedLicense(id=declared.lower(), declared_in="gguf:general.license")
    else:
        license_ = LockedLicense(id=None, declared_in=None)
    return Lockfile(
        lock_version=LOCK_VERSION,
        name=spec.name,
        spec_digest=str(spec_digest(spec)),
        spec=spec,
        source=resolution.source,
        files=resolution.files,
        gguf=resolution.facts.summary(),
        license=license_,
        engine=pinned_engine(),
        argv=compile_argv(spec, Digest.parse(weights.sha256)),
        suites=resolution.suites,
    )


def spec_digest(spec: Spec) -> Digest:
    """Return the digest of what a spec says: comments and order don't count, defaults do."""
    return digest_of(spec.content())
