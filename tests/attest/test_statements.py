from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementPb

from pipeline.attest.statements import PROVENANCE, SUMMARY, provenance, summary
from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from tests.attest.signing import DECISION_DIGEST, decision_on
from tests.factories import ENGINE, HARDWARE, lock

INPUT = ("assay:attestation/tiny-chat/provenance.dsse.json", Digest.of(b"envelope"))


def summed(**how: Any) -> dict[str, Any]:
    model = lock()
    return summary(model, decision_on(model, **how), DECISION_DIGEST, [INPUT], "0.1.0")


def validated(statement: dict[str, Any]) -> Statement:
    """Return a statement as the reference library of in-toto reads it: no key may be unknown, what must be there is."""
    found = Statement.copy_from_pb(Parse(json.dumps(statement), StatementPb()))
    found.validate()
    return found


@pytest.mark.parametrize("accepted", [True, False])
def test_in_toto_takes_them(accepted: bool) -> None:
    made = provenance(lock(), "0.1.0")
    assert validated(made).pb.predicate_type == PROVENANCE
    read = Parse(json.dumps(made["predicate"]), Provenance())
    assert MessageToDict(read)["runDetails"] == made["predicate"]["runDetails"]
    for dependency in read.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(dependency).validate()
    gate = summed(accepted=accepted)
    assert validated(gate).pb.predicate_type == SUMMARY
    # The library's message (0.9.3) holds one level, where SLSA's specification has a list of them.
    single = {**gate["predicate"], "verifiedLevels": gate["predicate"]["verifiedLevels"][0]}
    assert MessageToDict(Parse(json.dumps(single), VerificationSummary())) == single


def test_in_toto_can_refuse() -> None:
    made = provenance(lock(), "0.1.0")
    changes: list[dict[str, Any]] = [{"subject": []}, {"predicateType": ""}, {"subject": [{"name": "x"}]}]
    for change in changes:
        with pytest.raises(ValueError):
            validated({**made, **change})


def test_provenance_names_every_material() -> None:
    model = lock()
    made = provenance(model, "0.1.0")
    assert made["subject"] == [{"name": "assay:lock/tiny-chat", "digest": {"sha256": model.digest.hex}}]
    definition = made["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["spec"]["digest"]["sha256"] == model.spec_digest.removeprefix("sha256:")
    sums = {part["name"]: part["digest"] for part in definition["resolvedDependencies"]}
    assert sums["tiny-chat-q8_0.gguf"] == {"sha256": model.weights.digest.hex}
    assert sums["llama.cpp"] == {"gitCommit": model.engine.llama_cpp_commit}
    assert {name for name in sums if name.startswith("evals/")} == {f"evals/{suite}" for suite in model.suites}
    assert definition["internalParameters"]["argv"] == list(model.argv)
    assert provenance(model, "0.1.0") == made


def test_a_summary_says_what_held_on_what() -> None:
    model, made = lock(), summed()
    predicate = made["predicate"]
    assert [subject["digest"]["sha256"] for subject in made["subject"]] == [model.digest.hex, model.weights.digest.hex]
    notes = made["subject"][0]["annotations"]
    assert (notes["engine"], notes["hardware"]) == (ENGINE, HARDWARE)
    assert notes["waived"] == ["tiny-choice.accuracy: min 0.6: accepted by Ada: known"]
    assert predicate["timeVerified"] == "2026-03-14T09:26:53Z"
    assert predicate["policy"]["digest"]["sha256"] == digest_of({"lint": "warning"}).hex
    used = {one["uri"]: one["digest"]["sha256"] for one in predicate["inputAttestations"]}
    assert used == {"assay:decision": DECISION_DIGEST.removeprefix("sha256:"), INPUT[0]: INPUT[1].hex}
    assert predicate["verificationResult"] == "PASSED"
    # The eval's rule holds only by a waiver, which is no proof of anything.
    assert predicate["verifiedLevels"] == ["ASSAY_PINNED", "ASSAY_LINT", "ASSAY_CHECKS", "ASSAY_POLICY"]


def test_a_rejected_model_has_no_level() -> None:
    predicate = summed(accepted=False)["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])


def test_times_are_told_in_utc() -> None:
    model = lock()
    decision = decision_on(model)
    there = replace(decision, decided=decision.decided.astimezone(timezone(timedelta(hours=9))))
    assert summary(model, there, DECISION_DIGEST, [INPUT], "0.1.0") == summed()
