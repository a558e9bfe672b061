"""Make a report of values alone: lock, runs, decision, and what the engine's and the machine's digests stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, Run
from pipeline.report.model import Bounds, Command, Fact, Link, Report
from pipeline.report.text import label, plain, size

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STAGES = ("lint", "check", "eval", "bench")
_SIZES = ("memory", "memory_limit", "size")


def build(
    lock: Lockfile,
    runs: Iterable[Run],
    decision: Decision | None,
    *,
    engine_digest: str,
    hardware_digest: str,
    engine: Mapping[str, Any],
    hardware: Mapping[str, Any],
    generated: datetime,
    version: str,
) -> Report:
    """Return the report of a lock on one engine and machine. ``engine`` and ``hardware`` are recorded contents, empty
    when unknown."""
    shown = tuple(
        sorted(
            runs,
            key=lambda run: (
                _STAGES.index(run.key.stage) if run.key.stage in _STAGES else 9,
                run.started,
                run.key.subject,
            ),
        )
    )
    return Report(
        lock=lock,
        decision=decision,
        runs=shown,
        chain=tuple(_chain(lock, shown, decision, engine_digest, hardware_digest)),
        facts=tuple(_facts(lock)),
        header=tuple(facts_of(lock.gguf)),
        engine=(Fact("Engine digest", engine_digest, code=True), *facts_of(engine)),
        hardware=(Fact("Hardware digest", hardware_digest, code=True), *facts_of(hardware)),
        commands=_commands(lock),
        bounds={name: Bounds(limit.min, limit.max) for name, limit in lock.spec.gates.metrics.items()},
        generated=generated,
        version=version,
    )


def facts_of(content: Mapping[str, Any], before: str = "") -> Iterator[Fact]:
    """Return the lines of a JSON object, nested objects flattened."""
    for key, value in content.items():
        name = f"{before} › {key}" if before else label(key)
        if isinstance(value, Mapping):
            yield from facts_of(value, name)
        elif isinstance(value, (list, tuple)) and any(isinstance(part, Mapping) for part in value):
            for number, part in enumerate(value, start=1):
                yield from facts_of(part if isinstance(part, Mapping) else {"value": part}, f"{name} {number}")
        elif isinstance(value, int) and not isinstance(value, bool) and key in _SIZES:
            yield Fact(name, size(value))
        elif isinstance(value, (list, tuple)) and not value:
            yield Fact(name, "none")
        elif isinstance(value, str):
            yield Fact(
                name,
                value,
                code=bool(_DIGEST.fullmatch(value)) or key in ("commit", "eos_token", "eot_token", "bos_token"),
            )
        else:
            yield Fact(name, "unknown" if value is None else plain(value))


def _facts(lock: Lockfile) -> Iterator[Fact]:
    spec, gguf = lock.spec, lock.gguf
    yield Fact("Source", lock.source.original, code=True)
    yield Fact("Resolved to", lock.source.resolved, code=True)
    known = (
        ("architecture", "Architecture"),
        ("parameters", "Parameters"),
        ("quantization", "Quantization"),
        ("context_length", "Context, trained"),
    )
    for key, title in known:
        if key in gguf:
            yield Fact(title, "unknown" if gguf[key] is None else plain(gguf[key]))
    yield Fact(
        "Context, as run",
        f"{spec.engine.context:,} tokens a slot, {spec.engine.slots} {'slot' if spec.engine.slots == 1 else 'slots'}",
    )
    yield Fact("Profile", spec.profile)
    where = f" (declared in {lock.license.declared_in})" if lock.license.declared_in else ""
    yield Fact("Licence", f"{lock.license.id or 'not declared'}{where}")
    yield Fact("Sampling", ", ".join(f"{key} {plain(value)}" for key, value in spec.sampling.model_dump().items()))


def _chain(
    lock: Lockfile, runs: Sequence[Run], decision: Decision | None, engine: str, hardware: str
) -> Iterator[Link]:
    yield Link("Spec", "what was asked for", (("spec", lock.spec_digest),))
    yield Link("Lock", "what that came to, to the last byte", (("lock", str(lock.digest)),))
    yield Link(
        "Weights", "the files that are run", tuple((f"{file.role} · {file.path}", file.sha256) for file in lock.files)
    )
    commit = lock.engine.llama_cpp_commit
    yield Link(
        "Engine", f"llama.cpp at {commit[:12]}, on this class of machine", (("engine", engine), ("hardware", hardware))
    )
    suites = tuple((f"{name} · version {suite.version}", suite.digest) for name, suite in lock.suites.items())
    yield Link("Suites", "what was asked of the model" if suites else "the lock names no suites", suites)
    results = tuple((f"{run.key.stage} · {run.key.subject}", run.outputs_digest) for run in runs if run.outputs_digest)
    yield Link("Results", "what it answered and measured" if runs else "nothing has been run", results)
    if decision is None:
        yield Link("Decision", "not judged yet", ())
    else:
        yield Link("Decision", decision.word, ((decision.id, decision.digest),))


def _commands(lock: Lockfile) -> tuple[Command, ...]:
    name = lock.name
    return (
        Command(f"assay lock --check {name}", f"the lock still says what the spec says: spec {lock.spec_digest}"),
        Command(f"assay fetch {name}", "bring the files; each is hashed as it comes"),
        Command(f"assay verify --deep {name}", "read every byte again"),
        Command("assay doctor", f"compare the engine: llama.cpp {lock.engine.llama_cpp_commit}"),
        Command(f"assay run --force {name}", "do every step again, and judge"),
    )
