from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.project import Project
from pipeline.export._spdx import _IDS, spdx_id
from pipeline.export.cyclonedx_json import render
from tests.export.models import COMMIT, model_of

WHY = "cyclonedx-python-lib[json-validation] is not installed: documents are NOT compared with the published schema"
ORIGINS = [
    "",
    f"hf://org/Some-Repo@{COMMIT}/sub/model Q4.gguf",
    f"oci://registry.example.org:5000/models/Tiny@sha256:{'a' * 64}".lower(),
    f"ollama://registry.ollama.ai/library/tiny@sha256:{'b' * 64}",
    "https://example.org/a%20b/model.gguf",
]


def schema_says(text: str) -> Any:
    """Return what the published schema of CycloneDX 1.7 has against a document; None where nothing."""
    pytest.importorskip("cyclonedx.validation.json", reason=WHY)
    pytest.importorskip("jsonschema", reason=WHY)
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)


@pytest.mark.parametrize("license", ["apache-2.0", "gemma", None])
@pytest.mark.parametrize("origin", ORIGINS)
def test_the_published_schema_takes_it(project: Project, origin: str, license: str | None) -> None:
    assert schema_says(render(model_of(project, origin, license, system="Be kind."))) is None


def test_the_schema_can_refuse(project: Project) -> None:
    content = json.loads(render(model_of(project)))
    content["metadata"]["component"]["licenses"] = [{"license": {"id": "unknown"}}]
    assert schema_says(json.dumps(content)) is not None


def test_every_known_licence_is_one_of_the_schema(project: Project) -> None:
    content = json.loads(render(model_of(project)))
    content["metadata"]["component"]["licenses"] = [{"license": {"id": name}} for name in _IDS]
    assert schema_says(json.dumps(content)) is None


def test_it_says_what_the_model_is_made_of(project: Project) -> None:
    model = model_of(project, ORIGINS[1], system="Be kind.")
    content = json.loads(render(model))
    component = content["metadata"]["component"]
    assert (component["type"], component["name"]) == ("machine-learning-model", "small")
    assert component["hashes"] == [{"alg": "SHA-256", "content": model.lock.weights.digest.hex}]
    assert {"name": "assay:lock-digest", "value": str(model.lock.digest)} in component["properties"]
    assert component["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert [(file["type"], file["name"]) for file in component["components"]] == [
        ("file", "small.gguf"),
        ("file", "system.txt"),
    ]
    assert component["modelCard"]["modelParameters"]["architectureFamily"] == "llama"
    assert component["externalReferences"][0]["url"] == ORIGINS[1].replace(" ", "%20")
    (engine,) = content["components"]
    assert engine["version"] == model.lock.engine.llama_cpp_commit


def test_the_same_lock_is_the_same_document_and_another_is_another(project: Project) -> None:
    first, second = render(model_of(project)), render(model_of(project))
    assert first == second
    other = json.loads(render(model_of(project, ORIGINS[1])))
    assert other["serialNumber"] != json.loads(first)["serialNumber"]
    assert "timestamp" not in first


@pytest.mark.parametrize(
    ("origin", "want"),
    [
        (ORIGINS[1], f"pkg:huggingface/org/Some-Repo@{COMMIT}"),
        (ORIGINS[2], f"pkg:oci/tiny@sha256%3A{'a' * 64}?repository_url=registry.example.org:5000/models/tiny"),
        (ORIGINS[3], "pkg:generic/small?checksum=sha256:"),
        (ORIGINS[4], "pkg:generic/small?checksum=sha256:"),
        ("", "pkg:generic/small?checksum=sha256:"),
    ],
)
def test_purls(project: Project, origin: str, want: str) -> None:
    packageurl = pytest.importorskip("packageurl", reason=WHY)
    model = model_of(project, origin)
    found = json.loads(render(model))["metadata"]["component"]["purl"]
    assert found.startswith(want)
    parsed = packageurl.PackageURL.from_string(found)
    if origin.startswith("https"):
        assert parsed.qualifiers["download_url"] == origin
    if parsed.type == "generic":
        assert parsed.qualifiers["checksum"] == f"sha256:{model.lock.weights.digest.hex}"


def test_licences_that_spdx_knows() -> None:
    assert [spdx_id(name) for name in ("apache-2.0", "MIT", "gemma", "llama3.1", "cc-by-nc-4.0")] == [
        *("Apache-2.0", "MIT", None, None, "CC-BY-NC-4.0")
    ]
