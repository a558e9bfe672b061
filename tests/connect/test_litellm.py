from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.connect.litellm import render
from tests.connect.targets import target


def test_it_is_a_list_of_models(tmp_path: Path) -> None:
    found = target(tmp_path)
    (model,) = yaml.safe_load(render(found))["model_list"]
    assert model["model_name"] == "tiny-chat"
    wanted = {"model": f"openai/{found.pinned}", "api_base": found.v1, "api_key": "os.environ/ASSAY_API_KEY"}
    assert model["litellm_params"] == wanted
