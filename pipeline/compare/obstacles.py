"""Whether two runs measured the same thing in the same way, the model aside."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.compare.model import Obstacle
from pipeline.evals.suite import kinds
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run

_SHORT = 19


def obstacles(a: Run, b: Run, lock_a: Lockfile, lock_b: Lockfile) -> tuple[Obstacle, ...]:
    """Return why scores of two runs don't compare; nothing where they do.

    A model's weights, context, slots and cache types are what one compares. Its chat template and sampling count only
    for runs through the server: log-likelihoods use neither.
    """
    found = (*_suite(a, b, lock_a, lock_b), *_machine(a, b, lock_a, lock_b), *_asked(a, b, lock_a, lock_b))
    return (*found, *_reference(a, lock_a, lock_b))


def _suite(a: Run, b: Run, lock_a: Lockfile, lock_b: Lockfile) -> Iterator[Obstacle]:
    if a.key.subject_digest == b.key.subject_digest:
        return
    suites = lock_a.suites.get(a.key.subject), lock_b.suites.get(b.key.subject)
    versions = [suite.version if suite else "unknown" for suite in suites]
    if versions[0] != versions[1]:
        yield Obstacle("suite", f"versions {versions[0]} and {versions[1]} of {a.key.subject}")
    else:
        digests = f"{a.key.subject_digest[:_SHORT]} and {b.key.subject_digest[:_SHORT]}"
        yield Obstacle("data", f"other files under the same version {versions[0]} of {a.key.subject}: {digests}")


def _machine(a: Run, b: Run, lock_a: Lockfile, lock_b: Lockfile) -> Iterator[Obstacle]:
    for what, one, other in (
        ("engine", a.key.engine_digest, b.key.engine_digest),
        ("hardware", a.key.hardware_digest, b.key.hardware_digest),
    ):
        if one != other:
            yield Obstacle(what, f"{one[:_SHORT]} and {other[:_SHORT]}")
    layers = lock_a.spec.engine.gpu_layers, lock_b.spec.engine.gpu_layers
    if layers[0] != layers[1]:
        yield Obstacle("offload", f"{layers[0]} and {layers[1]} layers on a GPU")
    if not (a.argv or b.argv) and a.assay_version != b.assay_version:
        said = f"scored by Assay {a.assay_version} and {b.assay_version}, which may pack items in other ways"
        yield Obstacle("packing", said)


def _asked(a: Run, b: Run, lock_a: Lockfile, lock_b: Lockfile) -> Iterator[Obstacle]:
    if not (a.argv or b.argv):
        return
    templates = template_of(lock_a), template_of(lock_b)
    if templates[0] != templates[1]:
        yield Obstacle("template", f"{templates[0][:_SHORT]} and {templates[1][:_SHORT]}")
    one, other = (lock.spec.sampling.model_dump(mode="json") for lock in (lock_a, lock_b))
    moved = [f"{key} {one[key]} and {other[key]}" for key in one if one[key] != other[key]]
    if moved:
        yield Obstacle("sampling", ", ".join(moved))


def _reference(a: Run, lock_a: Lockfile, lock_b: Lockfile) -> Iterator[Obstacle]:
    """Divergences from two models say nothing of each other."""
    evaluation = a.result.evaluation
    if evaluation is None or not getattr(kinds().get(evaluation.kind), "REFERENCE", False):
        return
    one, other = (lock.reference.weights if lock.reference else () for lock in (lock_a, lock_b))
    if one != other:
        yield Obstacle(
            "reference", " and ".join(weights[0][:_SHORT] if weights else "none" for weights in (one, other))
        )


def template_of(lock: Lockfile) -> str:
    """Return the digest of the chat template that a lock serves with; ``none`` where it has none."""
    if lock.template:
        return lock.template.sha256
    return str(lock.gguf.get("template_digest") or "none")
