from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.connect.llm import render
from tests.connect.targets import target


def test_it_is_an_entry_of_its_models(tmp_path: Path) -> None:
    found = target(tmp_path)
    (model,) = yaml.safe_load(render(found))
    assert (model["model_id"], model["model_name"], model["api_base"]) == ("tiny-chat", found.pinned, found.v1)
    assert model["api_key_name"] == "assay"
