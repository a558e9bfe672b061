"""Pictures and sounds come with a request, never from an address in it.

llama-server would fetch an ``http://`` URL itself: whoever may ask could then reach what the engine's machine can reach,
and a request would no longer hold all that its answer depends on.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.deploy.door.answers import Refusal

_KEYS = frozenset({"image_url", "video_url", "audio_url", "input_image", "input_video", "input_audio", "source"})
_ADDRESS = re.compile(r"\s*(?!data:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def check_media(content: dict[str, Any]) -> None:
    """Raise Refusal (400) for a message or input that names an address to fetch from."""
    left: list[Any] = [content.get("messages"), content.get("input"), content.get("prompt")]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            for key, value in one.items():
                address = value.get("url") if isinstance(value, dict) else value
                if key in _KEYS and isinstance(address, str) and _ADDRESS.match(address):
                    raise Refusal(400, "remote_media", "media come as data: URLs; nothing is fetched for a request")
                if isinstance(value, (dict, list)):
                    left.append(value)
