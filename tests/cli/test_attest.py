"""Attesting and asking for it, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.project import Project
from tests.attest.signing import make_key
from tests.projects import assay


def test_signed_and_verified(assayed: Project, tmp_path: Path) -> None:
    key, public = make_key(tmp_path), tmp_path / "key.pub"
    asked = ("verify", "small", "--require-signed", "--public-key", str(public))
    code, _, err = assay(*asked, project=assayed)
    assert code == 5
    assert "small is not attested" in err
    planned = ("deploy", "small", "--plan", "--public-key", str(public))
    code, out, err = assay(*planned, project=assayed)
    assert code == 5 and not out and "small is not attested" in err
    code, out, err = assay("attest", "small", "--key", str(key), "--json", project=assayed)
    assert code == 0, err
    answer = json.loads(out)
    assert [Path(file).name for file in answer["models"][0]["files"]] == [
        "provenance.dsse.json",
        "gate.dsse.json",
        "model.sig",
    ]
    assert answer["models"][0]["accepted"] is True
    secret = "".join(key.read_text().splitlines()[1:-1])[:24]
    assert secret not in out + err
    code, out, err = assay(*asked, project=assayed)
    assert code == 0, err
    assert "signed  gate  small: accepted at " in out
    code, out, err = assay(*planned, project=assayed)
    assert code == 0 and "the gate's decision: accepted" in out, err
    code, out, _ = assay(*asked, "--json", project=assayed)
    assert [one["kind"] for one in json.loads(out)["signed"]] == ["provenance", "gate", "model-signing"]
    make_key(tmp_path, "ed25519", "other")
    code, _, err = assay("verify", "--require-signed", "--public-key", str(tmp_path / "other.pub"), project=assayed)
    assert code == 5
    assert "none of the trusted keys" in err


def test_the_two_options_go_together(project: Project, tmp_path: Path) -> None:
    make_key(tmp_path)
    for options in (["--require-signed"], ["--public-key", str(tmp_path / "key.pub")]):
        code, _, err = assay("verify", *options, project=project)
        assert code == 2
        assert "go together" in err
