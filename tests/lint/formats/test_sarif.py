from __future__ import annotations

import json
from dataclasses import replace

from pipeline.lint.engine import rules
from pipeline.lint.formats._base import fingerprint
from pipeline.lint.formats.sarif import render
from tests.lint.formats.linted import CLEAN, ERROR, SOME


def test_a_log_for_code_scanning() -> None:
    log = json.loads(render([SOME, CLEAN]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    told = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in told] == list(rules())
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in told)
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("A201", "error"),
        ("A104", "warning"),
        ("A202", "note"),
    ]
    first, second, third = run["results"]
    assert told[first["ruleIndex"]]["id"] == "A201"
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "specs/small.yaml"
    assert first["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "tokenizer.ggml.eos_token_id"}]
    assert first["partialFingerprints"] == {"assay/v1": fingerprint("small", ERROR)}
    assert second["suppressions"][0]["kind"] == "external" and "suppressions" not in third
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == [
        "small: A105 not evaluated: no tools",
        "small: A103 not evaluated: no tools",
    ]


def test_a_path_becomes_a_uri() -> None:
    odd = replace(SOME, file="models/my model #1 50%.gguf")
    (result, *_) = json.loads(render([odd]))["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "models/my%20model%20%231%2050%25.gguf"
    hub = replace(SOME, file="hf://org/name@0123/model.gguf")
    (result, *_) = json.loads(render([hub]))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == hub.file
