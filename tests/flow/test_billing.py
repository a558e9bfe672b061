from __future__ import annotations

import json

from pipeline.core.project import Project
from pipeline.flow.billing import bill
from pipeline.flow.judge import judge
from pipeline.flow.session import Session
from tests.export.test_cyclonedx_json import schema_says
from tests.projects import assay


def test_a_real_record_becomes_a_document(tested: Project) -> None:
    session = Session(tested)
    lock = session.current("small")
    judge(session, lock)
    text = bill(session, lock)
    assert schema_says(text) is None
    content = json.loads(text)
    metrics = content["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    found = {(one["slice"], one["type"]): one for one in metrics}
    assert 0 <= float(found["few", "acc"]["value"]) <= 1
    assert set(found["few", "acc"]["confidenceInterval"]) == {"lowerBound", "upperBound"}
    assert float(found["greeting greeting", "pass rate"]["value"]) == 1
    engine = next(one for one in content["components"] if one["name"] == "llama.cpp")
    assert "llama-server" in {one["name"] for one in engine["components"]}
    assert bill(session, lock) == text


def test_sbom_needs_no_results(project: Project) -> None:
    code, out, err = assay("sbom", "small", project=project)
    assert code == 0, err
    assert schema_says(out) is None
    model = json.loads(out)["metadata"]["component"]
    assert "quantitativeAnalysis" not in model["modelCard"]
    assert {"name": "assay:gate", "value": "none on record"} in model["properties"]
