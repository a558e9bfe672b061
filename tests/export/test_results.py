from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pipeline.export._results import Number, Shown, numbers, render_with
from tests.attest.signing import decision_on
from tests.export.test_cyclonedx_json import schema_says
from tests.factories import ENGINE, ENGINE_CONTENT, HARDWARE, HARDWARE_CONTENT, lock

ACCURACY = Number("accuracy", "tiny-choice", 0.777_777_7, "share", 0.65, 0.87)
SPEED = Number("decode_tok_s", "bench tg32", 812.6, "tok/s")
SUITES = {
    "tiny-choice": {"license": "CC0-1.0", "source": "written here", "description": "Four choices."},
    "tiny-stop": {"license": "of our own", "source": "", "description": ""},
}


def shown(**changes: Any) -> Shown:
    found = numbers([SPEED, ACCURACY])
    made = Shown(
        found, ENGINE, HARDWARE, ENGINE_CONTENT, HARDWARE_CONTENT, SUITES, ("run-1", "run-2"), decision_on(lock())
    )
    return replace(made, **changes)


def test_the_published_schema_takes_it() -> None:
    for made in (shown(), shown(numbers=(), decision=None, suites={}, engine={}, hardware={}, runs=())):
        assert schema_says(render_with(lock(), made)) is None


def test_results_stand_in_the_model_card() -> None:
    content = json.loads(render_with(lock(), shown()))
    model = content["metadata"]["component"]
    speed, accuracy = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert speed == {"type": "decode_tok_s", "value": "812.6 tok/s", "slice": "bench tg32"}
    interval = {"lowerBound": "0.65", "upperBound": "0.87"}
    assert accuracy == {"type": "accuracy", "value": "0.777778", "slice": "tiny-choice", "confidenceInterval": interval}
    said = {one["name"]: one["value"] for one in model["properties"]}
    assert said["assay:gate"] == "accepted"
    assert said["assay:gate:4"].endswith("(accepted by Ada: known)")


def test_suites_are_data_sets_by_digest() -> None:
    content = json.loads(render_with(lock(), shown()))
    suites = {one["name"]: one for one in content["components"] if one["type"] == "data"}
    assert set(suites) == set(lock().suites)
    refs = [one["ref"] for one in content["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"]]
    assert refs == [f"suite:{name}@{lock().suites[name].digest}" for name in sorted(suites)]
    assert suites["tiny-choice"]["licenses"] == [{"license": {"id": "CC0-1.0"}}]
    assert suites["tiny-stop"]["licenses"] == [{"license": {"name": "of our own"}}]


def test_the_engine_is_its_files() -> None:
    engine = json.loads(render_with(lock(), shown()))["components"][0]
    assert {one["name"]: one["hashes"][0]["content"] for one in engine["components"]} == {
        name: digest.removeprefix("sha256:") for name, digest in ENGINE_CONTENT["files"].items()
    }
    assert engine["licenses"] == [{"license": {"id": "MIT"}}]


def test_the_same_record_is_the_same_document_and_another_is_another() -> None:
    first = render_with(lock(), shown())
    assert first == render_with(lock(), shown())
    assert json.loads(first)["serialNumber"] != json.loads(render_with(lock(), shown(runs=("run-3",))))["serialNumber"]
