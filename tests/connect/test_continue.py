from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.connect._base import client_of
from tests.connect.targets import target


def test_it_is_a_configuration(tmp_path: Path) -> None:
    found = target(tmp_path)
    content = yaml.safe_load(client_of("continue").render(found))
    (model,) = content["models"]
    assert (content["schema"], model["provider"], model["apiBase"], model["model"]) == (
        "v1",
        "openai",
        found.v1,
        found.pinned,
    )
    assert model["apiKey"] == "${{ secrets.ASSAY_API_KEY }}"
    assert model["defaultCompletionOptions"] == {"contextLength": 4096, "maxTokens": 128}
