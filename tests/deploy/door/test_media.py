from __future__ import annotations

from typing import Any

import pytest

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.media import check_media
from tests.deploy.door.conftest import Front


def asked(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "http://a.example"}, part]}]}


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "HTTPS://a.example/x.png", " file:///etc/passwd", "ftp://a"]
)
def test_no_address_is_fetched_from(front: Front, address: str) -> None:
    for content in (
        asked({"type": "image_url", "image_url": {"url": address}}),
        asked({"type": "image_url", "image_url": address}),
        asked({"type": "image", "source": {"type": "url", "url": address}}),
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": address}]}]},
    ):
        with pytest.raises(Refusal, match="nothing is fetched"):
            check_media(content)
    answer = front.client.post("/v1/chat/completions", json=asked({"type": "image_url", "image_url": {"url": address}}))
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "remote_media"


@pytest.mark.parametrize(
    "content",
    [
        asked({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
        asked({"type": "image", "source": {"type": "base64", "data": "AAAA"}}),
        {"messages": "http://a.example", "input": None, "prompt": ["http://a.example"]},
        {"messages": [], "tools": [{"parameters": {"image_url": "http://a.example"}}]},
    ],
)
def test_what_comes_with_the_request_is_taken(content: dict[str, Any]) -> None:
    check_media(content)
