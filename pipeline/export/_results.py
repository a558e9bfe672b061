"""What was measured of a model, in a CycloneDX document: numbers with intervals, the suites they come from, the engine's files, and
the gate's verdict.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.export._spdx import spdx_id
from pipeline.export.cyclonedx_json import SPACE, document, properties
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, word_of

_MIT = {"licenses": [{"license": {"id": "MIT"}}]}


@dataclass(frozen=True)
class Number:
    """One metric. ``slice`` says of what it is: a suite, a group of one, or the settings of a benchmark; the bounds are those of its
    95 % interval.
    """

    type: str
    slice: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Shown:
    """What is known of a lock on one engine and hardware. ``engine`` and ``hardware`` are what these digests stand for; ``suites`` tells
    licence, source and description of each by name; ``runs`` are the ids of those that the numbers come from.
    """

    numbers: tuple[Number, ...]
    engine_digest: str
    hardware_digest: str
    engine: Mapping[str, Any]
    hardware: Mapping[str, Any]
    suites: Mapping[str, Mapping[str, str]]
    runs: tuple[str, ...]
    decision: Decision | None = None


def render_with(lock: Lockfile, shown: Shown) -> str:
    """Return the document of a lock with its results: the same lock and record, the same text. Its serial number comes from both."""
    content, reference = document(lock), str(lock.digest)
    decision = shown.decision.id if shown.decision else ""
    basis = "|".join([reference, shown.engine_digest, shown.hardware_digest, decision, *shown.runs])
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(SPACE, basis)}"
    model, (engine,) = content["metadata"]["component"], content["components"]
    card = model["modelCard"]
    if suites := [_suite(name, lock, shown) for name in sorted(lock.suites)]:
        card["modelParameters"]["datasets"] = [{"ref": suite["bom-ref"]} for suite in suites]
    if shown.numbers:
        card["quantitativeAnalysis"] = {"performanceMetrics": [_number(number) for number in shown.numbers]}
    model["properties"] += properties(_verdict(shown))
    engine |= _MIT
    engine["properties"] += properties(
        {
            "assay:engine-digest": shown.engine_digest,
            "assay:backends": ", ".join(shown.engine.get("backends", ())) or None,
        }
    )
    engine["components"] = [
        {
            "type": "file",
            "bom-ref": f"{engine['bom-ref']}/{name}",
            "name": name,
            "hashes": [{"alg": "SHA-256", "content": str(digest).removeprefix("sha256:")}],
        }
        for name, digest in sorted(shown.engine.get("files", {}).items())
    ]
    content["components"] += suites
    content["dependencies"][0]["dependsOn"] += [suite["bom-ref"] for suite in suites]
    content["dependencies"] += [{"ref": suite["bom-ref"]} for suite in suites]
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def _number(number: Number) -> dict[str, Any]:
    interval = (
        {"confidenceInterval": {"lowerBound": f"{number.low:.6g}", "upperBound": f"{number.high:.6g}"}}
        if number.low is not None and number.high is not None
        else {}
    )
    unit = f" {number.unit}" if number.unit not in ("", "share") else ""
    return {"type": number.type, "value": f"{number.value:.6g}{unit}", "slice": number.slice, **interval}


def _suite(name: str, lock: Lockfile, shown: Shown) -> dict[str, Any]:
    """A suite as data. Its digest is over the sums of its files, so it stands as a property and not as a file's hash."""
    suite, about = lock.suites[name], shown.suites.get(name, {})
    license = about.get("license", "")
    known = spdx_id(license)
    described = {"description": about["description"].strip()} if about.get("description", "").strip() else {}
    return {
        "type": "data",
        "bom-ref": f"suite:{name}@{suite.digest}",
        "name": name,
        "version": suite.version,
        **described,
        **({"licenses": [{"license": {"id": known} if known else {"name": license}}]} if license else {}),
        "data": [{"type": "dataset", "name": name, **described}],
        "properties": properties({"assay:suite-digest": suite.digest, "assay:source": about.get("source")}),
    }


def _verdict(shown: Shown) -> dict[str, Any]:
    decision = shown.decision
    found: dict[str, Any] = {
        "assay:gate": word_of(decision),
        "assay:decision": decision.id if decision else None,
        "assay:hardware-digest": shown.hardware_digest,
        "assay:hardware:cpu": shown.hardware.get("cpu_model"),
        "assay:hardware:gpus": ", ".join(str(gpu.get("name")) for gpu in shown.hardware.get("gpus") or ()) or None,
    }
    for number, reason in enumerate(decision.reasons if decision else (), 1):
        found[f"assay:gate:{number}"] = f"{reason.verdict.value}: {reason.rule}: {reason.said}"
    return found


def numbers(found: Sequence[Number]) -> tuple[Number, ...]:
    """Return the numbers in a stable order."""
    return tuple(sorted(found, key=lambda number: (number.slice, number.type)))
